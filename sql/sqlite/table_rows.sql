-- SQLite does not know how many rows a table has: it counts them. Nothing waits for it.
SELECT 'bitrix_leads', COUNT(*) FROM bitrix_leads
UNION ALL
SELECT 'bitrix_lead_contacts', COUNT(*) FROM bitrix_lead_contacts
UNION ALL
SELECT 'bitrix_lead_solution', COUNT(*) FROM bitrix_lead_solution
UNION ALL
SELECT 'bitrix_import_lead_error', COUNT(*) FROM bitrix_import_lead_error
UNION ALL
SELECT 'leadsync_lead_fields', COUNT(*) FROM leadsync_lead_fields
UNION ALL
SELECT 'leadsync_phones', COUNT(*) FROM leadsync_phones
UNION ALL
SELECT 'leadsync_outbox', COUNT(*) FROM leadsync_outbox
UNION ALL
SELECT 'leadsync_runs', COUNT(*) FROM leadsync_runs
UNION ALL
SELECT 'leadsync_findings', COUNT(*) FROM leadsync_findings
UNION ALL
SELECT 'leadsync_incidents', COUNT(*) FROM leadsync_incidents
UNION ALL
SELECT 'leadsync_callbacks', COUNT(*) FROM leadsync_callbacks
UNION ALL
SELECT 'leadsync_failures', COUNT(*) FROM leadsync_failures
UNION ALL
SELECT 'leadsync_changes', COUNT(*) FROM leadsync_changes
UNION ALL
SELECT 'leadsync_duplicate_leads', COUNT(*) FROM leadsync_duplicate_leads
