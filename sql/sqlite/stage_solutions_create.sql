CREATE TEMP TABLE stage_solutions (
    member_id TEXT NOT NULL,
    sql_LEAD_ID INTEGER NOT NULL,
    sql_solution TEXT NOT NULL
)
