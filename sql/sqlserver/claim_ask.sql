-- Whether a portal gets the rows of an adopted database by itself, without a person's word: where bitrix_oauth names it as the portal that the
-- former program read, or names none and leadsync knows no other portal. A claim that was begun is finished by the same portal.
SELECT CASE WHEN (
    EXISTS (SELECT 1 FROM dbo.bitrix_leads AS l WHERE l.member_id = N'')
    OR EXISTS (SELECT 1 FROM dbo.bitrix_lead_contacts AS c WHERE c.member_id = N'')
    OR EXISTS (SELECT 1 FROM dbo.bitrix_lead_solution AS s WHERE s.member_id = N'')
    OR EXISTS (SELECT 1 FROM dbo.bitrix_import_lead_error AS f WHERE f.member_id = N'')
) AND (
    EXISTS (SELECT 1 FROM dbo.leadsync_settings AS g WHERE g.name = @name AND g.value = @member_id)
    OR (
        NOT EXISTS (SELECT 1 FROM dbo.leadsync_settings AS g WHERE g.name = @name)
        AND (
            EXISTS (SELECT 1 FROM dbo.bitrix_oauth AS o WHERE o.refresh_token_hash IS NULL AND o.member_id = @member_id)
            OR (
                NOT EXISTS (SELECT 1 FROM dbo.bitrix_oauth AS o WHERE o.refresh_token_hash IS NULL AND o.member_id <> N'')
                AND NOT EXISTS (SELECT 1 FROM dbo.leadsync_portals AS p WHERE p.member_id <> @member_id)
            )
        )
    )
) THEN 1 ELSE 0 END
