select feed_key, route_id from {{ ref('dim_routes') }}
