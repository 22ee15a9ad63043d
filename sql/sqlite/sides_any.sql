-- One row where a side table has anything for leads from @first to @last. An import asks this once for leads that are all new, instead
-- of looking up each of them in each table: an adopted database may have contacts without a lead.
SELECT 1 AS found
WHERE
    EXISTS (
        SELECT 1 FROM bitrix_lead_contacts AS c
        WHERE c.member_id = @member_id AND c.sql_LEAD_ID BETWEEN @first AND @last
    )
    OR EXISTS (
        SELECT 1 FROM leadsync_phones AS p
        WHERE p.member_id = @member_id AND p.lead_id BETWEEN @first AND @last
    )
    OR EXISTS (
        SELECT 1 FROM leadsync_lead_fields AS f
        WHERE f.member_id = @member_id AND f.lead_id BETWEEN @first AND @last
    )
    OR EXISTS (
        SELECT 1 FROM bitrix_lead_solution AS s
        WHERE s.member_id = @member_id AND s.sql_LEAD_ID BETWEEN @first AND @last
    )
