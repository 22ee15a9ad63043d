CREATE TEMP TABLE stage_cuts (
    member_id TEXT NOT NULL,
    sql_ID TEXT NOT NULL,
    sql_error TEXT NOT NULL,
    sql_date_error TEXT NOT NULL,
    sql_full_lead_info TEXT
)
