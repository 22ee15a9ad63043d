-- Not of leads that still fail: their cards are shown with the failure.
DELETE e
FROM dbo.bitrix_import_lead_error AS e
WHERE e.Id > @after AND e.Id <= @up_to AND e.sql_date_error < CONVERT(datetime2(0), @before, 126)
    AND NOT EXISTS (
        SELECT 1 FROM dbo.leadsync_failures AS f
        WHERE f.member_id = e.member_id AND f.lead_id = e.lead_id
    )
