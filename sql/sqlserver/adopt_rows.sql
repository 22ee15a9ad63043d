-- Whether any of the call centre's tables has a row.
SELECT CASE WHEN EXISTS (SELECT 1 FROM dbo.bitrix_leads)
    OR EXISTS (SELECT 1 FROM dbo.bitrix_lead_contacts)
    OR EXISTS (SELECT 1 FROM dbo.bitrix_lead_solution)
    OR EXISTS (SELECT 1 FROM dbo.bitrix_import_lead_error)
    OR EXISTS (SELECT 1 FROM dbo.bitrix_lead_runtime)
    OR EXISTS (SELECT 1 FROM dbo.bitrix_oauth) THEN 1 ELSE 0 END
