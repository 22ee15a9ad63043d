CREATE TEMP TABLE stage_contacts (
    member_id TEXT NOT NULL,
    sql_LEAD_ID INTEGER NOT NULL,
    sql_CONTACT_ID TEXT,
    sql_VALUE_TYPE TEXT,
    sql_VALUE TEXT,
    sql_TYPE_ID TEXT
)
