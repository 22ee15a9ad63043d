INSERT INTO #stage_leads (
    member_id, sql_ID, was_ticket, read_at, read_ticket, revision, row_hash, raw_json, date_create_at,
    date_modify_at, sql_TITLE, sql_HONORIFIC, sql_NAME, sql_SECOND_NAME, sql_LAST_NAME,
    sql_COMPANY_TITLE, sql_COMPANY_ID, sql_CONTACT_ID, sql_IS_RETURN_CUSTOMER, sql_BIRTHDATE, sql_SOURCE_ID,
    sql_SOURCE_DESCRIPTION, sql_STATUS_ID, sql_STATUS_DESCRIPTION, sql_POST, sql_COMMENTS, sql_CURRENCY_ID,
    sql_OPPORTUNITY, sql_IS_MANUAL_OPPORTUNITY, sql_HAS_PHONE, sql_HAS_EMAIL, sql_HAS_IMOL,
    sql_ASSIGNED_BY_ID, sql_CREATED_BY_ID, sql_MODIFY_BY_ID, sql_DATE_CREATE, sql_DATE_MODIFY,
    sql_DATE_CLOSED, sql_STATUS_SEMANTIC_ID, sql_OPENED, sql_ORIGINATOR_ID, sql_ORIGIN_ID, sql_MOVED_BY_ID,
    sql_MOVED_TIME, sql_ADDRESS, sql_ADDRESS_2, sql_ADDRESS_CITY, sql_ADDRESS_POSTAL_CODE, sql_ADDRESS_REGION,
    sql_ADDRESS_PROVINCE, sql_ADDRESS_COUNTRY, sql_ADDRESS_COUNTRY_CODE, sql_ADDRESS_LOC_ADDR_ID,
    sql_UTM_SOURCE, sql_UTM_MEDIUM, sql_UTM_CAMPAIGN, sql_UTM_CONTENT, sql_UTM_TERM, sql_LAST_ACTIVITY_BY,
    sql_LAST_ACTIVITY_TIME, body, announced_at, change_kind, cause, changed_fields
)
VALUES (
    @member_id, @sql_ID, @was_ticket, @read_at, @read_ticket, @revision, @row_hash, @raw_json,
    @date_create_at, @date_modify_at, @sql_TITLE, @sql_HONORIFIC, @sql_NAME, @sql_SECOND_NAME,
    @sql_LAST_NAME, @sql_COMPANY_TITLE, @sql_COMPANY_ID, @sql_CONTACT_ID, @sql_IS_RETURN_CUSTOMER,
    @sql_BIRTHDATE, @sql_SOURCE_ID, @sql_SOURCE_DESCRIPTION, @sql_STATUS_ID, @sql_STATUS_DESCRIPTION,
    @sql_POST, @sql_COMMENTS, @sql_CURRENCY_ID, @sql_OPPORTUNITY, @sql_IS_MANUAL_OPPORTUNITY, @sql_HAS_PHONE,
    @sql_HAS_EMAIL, @sql_HAS_IMOL, @sql_ASSIGNED_BY_ID, @sql_CREATED_BY_ID, @sql_MODIFY_BY_ID,
    @sql_DATE_CREATE, @sql_DATE_MODIFY, @sql_DATE_CLOSED, @sql_STATUS_SEMANTIC_ID, @sql_OPENED,
    @sql_ORIGINATOR_ID, @sql_ORIGIN_ID, @sql_MOVED_BY_ID, @sql_MOVED_TIME, @sql_ADDRESS, @sql_ADDRESS_2,
    @sql_ADDRESS_CITY, @sql_ADDRESS_POSTAL_CODE, @sql_ADDRESS_REGION, @sql_ADDRESS_PROVINCE,
    @sql_ADDRESS_COUNTRY, @sql_ADDRESS_COUNTRY_CODE, @sql_ADDRESS_LOC_ADDR_ID, @sql_UTM_SOURCE,
    @sql_UTM_MEDIUM, @sql_UTM_CAMPAIGN, @sql_UTM_CONTENT, @sql_UTM_TERM, @sql_LAST_ACTIVITY_BY,
    @sql_LAST_ACTIVITY_TIME, @body, @announced_at, @change_kind, @cause, @changed_fields
)
