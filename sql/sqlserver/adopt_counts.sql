SELECT
    (SELECT COUNT(*) FROM dbo.bitrix_leads) AS leads,
    (SELECT COUNT(*) FROM dbo.bitrix_lead_contacts) AS contacts,
    (SELECT COUNT(*) FROM dbo.bitrix_lead_solution) AS solutions,
    (SELECT COUNT(*) FROM dbo.bitrix_import_lead_error) AS failures,
    (SELECT COUNT(*) FROM dbo.leadsync_duplicate_leads) AS duplicates
