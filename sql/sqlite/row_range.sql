SELECT
    l.sql_ID, l.read_ticket, l.revision, l.deleted_at, l.absent_since, l.row_hash, l.raw_json, l.date_create_at,
    l.date_modify_at, l.sql_TITLE, l.sql_HONORIFIC,
    l.sql_NAME, l.sql_SECOND_NAME, l.sql_LAST_NAME, l.sql_COMPANY_TITLE, l.sql_COMPANY_ID, l.sql_CONTACT_ID,
    l.sql_IS_RETURN_CUSTOMER, l.sql_BIRTHDATE, l.sql_SOURCE_ID, l.sql_SOURCE_DESCRIPTION, l.sql_STATUS_ID,
    l.sql_STATUS_DESCRIPTION, l.sql_POST, l.sql_COMMENTS, l.sql_CURRENCY_ID, l.sql_OPPORTUNITY,
    l.sql_IS_MANUAL_OPPORTUNITY, l.sql_HAS_PHONE, l.sql_HAS_EMAIL, l.sql_HAS_IMOL, l.sql_ASSIGNED_BY_ID,
    l.sql_CREATED_BY_ID, l.sql_MODIFY_BY_ID, l.sql_DATE_CREATE, l.sql_DATE_MODIFY, l.sql_DATE_CLOSED,
    l.sql_STATUS_SEMANTIC_ID, l.sql_OPENED, l.sql_ORIGINATOR_ID, l.sql_ORIGIN_ID, l.sql_MOVED_BY_ID,
    l.sql_MOVED_TIME, l.sql_ADDRESS, l.sql_ADDRESS_2, l.sql_ADDRESS_CITY, l.sql_ADDRESS_POSTAL_CODE,
    l.sql_ADDRESS_REGION, l.sql_ADDRESS_PROVINCE, l.sql_ADDRESS_COUNTRY, l.sql_ADDRESS_COUNTRY_CODE,
    l.sql_ADDRESS_LOC_ADDR_ID, l.sql_UTM_SOURCE, l.sql_UTM_MEDIUM, l.sql_UTM_CAMPAIGN, l.sql_UTM_CONTENT,
    l.sql_UTM_TERM, l.sql_LAST_ACTIVITY_BY, l.sql_LAST_ACTIVITY_TIME
FROM bitrix_leads AS l
WHERE l.member_id = @member_id AND l.sql_ID > @after AND l.sql_ID <= @up_to
ORDER BY l.sql_ID
LIMIT @limit
