-- Solutions that leadsync has written itself since: rows inserted later have higher ids.
DELETE FROM bitrix_lead_solution AS c
WHERE +c.member_id = '' AND c.Id > @after AND c.Id <= @upto AND EXISTS (
    SELECT 1
    FROM bitrix_lead_solution AS s
    WHERE s.member_id = @member_id AND s.sql_LEAD_ID = c.sql_LEAD_ID AND s.Id > c.Id
)
