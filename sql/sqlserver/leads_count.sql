SELECT COUNT(*)
FROM dbo.bitrix_leads AS l
WHERE l.member_id = @member_id AND l.deleted_at IS NULL
