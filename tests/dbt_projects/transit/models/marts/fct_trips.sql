select 1 as feed_key, 2 as trip_id, 3 as delay from {{ source('gtfs', 'trips') }}
