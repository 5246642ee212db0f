select 1 as account_id, 'x' as country_name from {{ source('saas', 'account') }}
