INSERT INTO dbo.leadsync_owners (member_id, epoch, owner, taken_at)
SELECT @member_id, 0, @owner, CONVERT(datetimeoffset(3), @taken_at, 127)
WHERE NOT EXISTS (
    SELECT 1 FROM dbo.leadsync_owners AS o WITH (UPDLOCK, HOLDLOCK) WHERE o.member_id = @member_id
)
