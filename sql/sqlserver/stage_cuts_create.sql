CREATE TABLE #stage_cuts (
    member_id nvarchar(64) COLLATE DATABASE_DEFAULT NOT NULL,
    sql_ID nvarchar(20) COLLATE DATABASE_DEFAULT NOT NULL,
    sql_error nvarchar(2000) COLLATE DATABASE_DEFAULT NOT NULL,
    sql_date_error nvarchar(30) NOT NULL,
    sql_full_lead_info nvarchar(max) COLLATE DATABASE_DEFAULT NULL
)
