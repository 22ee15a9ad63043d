-- Rows that wait to be deleted, and rows deleted since @since.
SELECT
    (SELECT COUNT(*) FROM bitrix_leads AS a
     WHERE a.member_id = @member_id AND a.absent_since IS NOT NULL AND a.deleted_at IS NULL)
    + (SELECT COUNT(*) FROM bitrix_leads AS g
       WHERE g.member_id = @member_id AND g.deleted_at >= @since)
