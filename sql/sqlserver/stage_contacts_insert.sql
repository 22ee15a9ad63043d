INSERT INTO #stage_contacts (member_id, sql_LEAD_ID, sql_CONTACT_ID, sql_VALUE_TYPE, sql_VALUE, sql_TYPE_ID)
VALUES (@member_id, @sql_LEAD_ID, @sql_CONTACT_ID, @sql_VALUE_TYPE, @sql_VALUE, @sql_TYPE_ID)
