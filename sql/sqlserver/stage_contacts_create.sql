CREATE TABLE #stage_contacts (
    member_id nvarchar(64) COLLATE DATABASE_DEFAULT NOT NULL,
    sql_LEAD_ID int NOT NULL,
    sql_CONTACT_ID nvarchar(2000) NULL,
    sql_VALUE_TYPE nvarchar(2000) NULL,
    sql_VALUE nvarchar(2000) NULL,
    sql_TYPE_ID nvarchar(2000) NULL
)
