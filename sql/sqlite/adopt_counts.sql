SELECT
    (SELECT COUNT(*) FROM bitrix_leads) AS leads,
    (SELECT COUNT(*) FROM bitrix_lead_contacts) AS contacts,
    (SELECT COUNT(*) FROM bitrix_lead_solution) AS solutions,
    (SELECT COUNT(*) FROM bitrix_import_lead_error) AS failures,
    (SELECT COUNT(*) FROM leadsync_duplicate_leads) AS duplicates
