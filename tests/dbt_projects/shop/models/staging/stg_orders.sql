select id as order_id, customer as customer_id, 1 as order_total, true as is_food_order
from {{ source('ecom', 'raw_orders') }}
