{% test dbt_is_happy(model, expression) %}select 1 from {{ model }} where not ({{ expression }}){% endtest %}
