select 1 as feed_key, 2 as stop_id, 3 as "stop name" from {{ source('gtfs', 'stops') }}
