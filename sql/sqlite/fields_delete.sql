DELETE FROM leadsync_lead_fields
WHERE (member_id, lead_id) IN (SELECT s.member_id, s.sql_ID FROM stage_leads AS s)
