-- A row that is there by now is skipped. Asking for it with NOT EXISTS would have SQLite copy all staged rows to another
-- temporary table first, as it does where a statement reads the table that it writes.
-- OR FAIL, here and in the other statements that write staged rows: a failure ends the transaction anyway, so SQLite need not
-- keep a copy of each page that the statement changes, to undo it alone.
INSERT OR FAIL INTO bitrix_leads (
    member_id, sql_ID, read_at, read_ticket, revision, row_hash, raw_json, date_create_at, date_modify_at,
    sql_TITLE, sql_HONORIFIC, sql_NAME, sql_SECOND_NAME, sql_LAST_NAME, sql_COMPANY_TITLE, sql_COMPANY_ID,
    sql_CONTACT_ID, sql_IS_RETURN_CUSTOMER, sql_BIRTHDATE, sql_SOURCE_ID, sql_SOURCE_DESCRIPTION,
    sql_STATUS_ID, sql_STATUS_DESCRIPTION, sql_POST, sql_COMMENTS, sql_CURRENCY_ID, sql_OPPORTUNITY,
    sql_IS_MANUAL_OPPORTUNITY, sql_HAS_PHONE, sql_HAS_EMAIL, sql_HAS_IMOL, sql_ASSIGNED_BY_ID,
    sql_CREATED_BY_ID, sql_MODIFY_BY_ID, sql_DATE_CREATE, sql_DATE_MODIFY, sql_DATE_CLOSED,
    sql_STATUS_SEMANTIC_ID, sql_OPENED, sql_ORIGINATOR_ID, sql_ORIGIN_ID, sql_MOVED_BY_ID, sql_MOVED_TIME,
    sql_ADDRESS, sql_ADDRESS_2, sql_ADDRESS_CITY, sql_ADDRESS_POSTAL_CODE, sql_ADDRESS_REGION,
    sql_ADDRESS_PROVINCE, sql_ADDRESS_COUNTRY, sql_ADDRESS_COUNTRY_CODE, sql_ADDRESS_LOC_ADDR_ID,
    sql_UTM_SOURCE, sql_UTM_MEDIUM, sql_UTM_CAMPAIGN, sql_UTM_CONTENT, sql_UTM_TERM, sql_LAST_ACTIVITY_BY,
    sql_LAST_ACTIVITY_TIME
)
SELECT
    s.member_id, s.sql_ID, s.read_at, s.read_ticket, s.revision, s.row_hash, s.raw_json, s.date_create_at,
    s.date_modify_at, s.sql_TITLE, s.sql_HONORIFIC, s.sql_NAME, s.sql_SECOND_NAME, s.sql_LAST_NAME,
    s.sql_COMPANY_TITLE, s.sql_COMPANY_ID, s.sql_CONTACT_ID, s.sql_IS_RETURN_CUSTOMER, s.sql_BIRTHDATE,
    s.sql_SOURCE_ID, s.sql_SOURCE_DESCRIPTION, s.sql_STATUS_ID, s.sql_STATUS_DESCRIPTION, s.sql_POST,
    s.sql_COMMENTS, s.sql_CURRENCY_ID, s.sql_OPPORTUNITY, s.sql_IS_MANUAL_OPPORTUNITY, s.sql_HAS_PHONE,
    s.sql_HAS_EMAIL, s.sql_HAS_IMOL, s.sql_ASSIGNED_BY_ID, s.sql_CREATED_BY_ID, s.sql_MODIFY_BY_ID,
    s.sql_DATE_CREATE, s.sql_DATE_MODIFY, s.sql_DATE_CLOSED, s.sql_STATUS_SEMANTIC_ID, s.sql_OPENED,
    s.sql_ORIGINATOR_ID, s.sql_ORIGIN_ID, s.sql_MOVED_BY_ID, s.sql_MOVED_TIME, s.sql_ADDRESS, s.sql_ADDRESS_2,
    s.sql_ADDRESS_CITY, s.sql_ADDRESS_POSTAL_CODE, s.sql_ADDRESS_REGION, s.sql_ADDRESS_PROVINCE,
    s.sql_ADDRESS_COUNTRY, s.sql_ADDRESS_COUNTRY_CODE, s.sql_ADDRESS_LOC_ADDR_ID, s.sql_UTM_SOURCE,
    s.sql_UTM_MEDIUM, s.sql_UTM_CAMPAIGN, s.sql_UTM_CONTENT, s.sql_UTM_TERM, s.sql_LAST_ACTIVITY_BY,
    s.sql_LAST_ACTIVITY_TIME
FROM stage_leads AS s
WHERE s.was_ticket IS NULL
ON CONFLICT (member_id, sql_ID) DO NOTHING
