"""A small shop for AMX to describe: 14 tables, 92 columns, without a comment."""

import psycopg

TABLES = {
    "cust": "cust_id cust_nm cust_typ eml_adr phn_nbr crt_dt upd_dt st_cd",
    "addr": "addr_id cust_id strt_nm hse_nbr zip_cd cty_nm ctry_cd",
    "prod": "prod_id prod_nm ctgry_id unt_prc crncy_cd wgt_kg crt_dt st_cd",
    "ctgry": "ctgry_id ctgry_nm prnt_id lvl_nbr",
    "ord_hdr": "ord_id cust_id ord_dt ord_st tot_amt crncy_cd shp_addr_id",
    "ord_pos": "ord_id pos_nbr prod_id qty unt_prc dsc_pct",
    "inv": "inv_id ord_id inv_dt due_dt net_amt tax_amt pd_flg",
    "pymt": "pymt_id inv_id pymt_dt amt crncy_cd mthd_cd",
    "whs": "whs_id whs_nm ctry_cd cap_m3",
    "stk": "whs_id prod_id qty rsv_qty upd_dt",
    "splr": "splr_id splr_nm ctry_cd vat_nbr eml_adr st_cd",
    "prch": "prch_id splr_id prch_dt tot_amt crncy_cd st_cd",
    "prch_pos": "prch_id pos_nbr prod_id qty unt_prc exp_dt",
    "emp": "emp_id fst_nm lst_nm eml_adr hire_dt dept_cd mgr_id sal_amt whs_id st_cd crt_dt upd_dt",
}
COLUMNS = sum(len(names.split()) for names in TABLES.values())


def build(url: str) -> None:
    """Create the tables in an empty PostgreSQL database."""
    with psycopg.connect(url) as connection:
        for table, names in TABLES.items():
            columns = ", ".join(f"{name} {_type(name)}" for name in names.split())
            connection.execute(f"CREATE TABLE {table} ({columns})")


def comments(url: str) -> dict[str, str]:
    """Every column's comment by `table.column`, those that have one."""
    query = (
        "SELECT c.relname || '.' || a.attname, col_description(c.oid, a.attnum) FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    with psycopg.connect(url) as connection:
        rows = connection.execute(query).fetchall()
    return {name: comment for name, comment in rows if comment}


def _type(name: str) -> str:
    if name.endswith(("_id", "_nbr", "qty")):
        return "integer"
    if name.endswith("_dt"):
        return "date"
    return "numeric(12,2)" if name.endswith(("amt", "prc", "pct", "_kg", "_m3")) else "text"
