select 1 as feed_key, 2 as route_id from {{ source('gtfs', 'routes') }}
