CREATE TABLE #stage_solutions (
    member_id nvarchar(64) COLLATE DATABASE_DEFAULT NOT NULL,
    sql_LEAD_ID int NOT NULL,
    sql_solution nvarchar(2000) NOT NULL
)
