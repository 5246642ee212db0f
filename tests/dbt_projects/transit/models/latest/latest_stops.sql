select feed_key, stop_id from {{ ref('dim_stops') }}
