select 1 as account_id, 'x' as country_code, 1 as region from {{ source('saas', 'account') }}
