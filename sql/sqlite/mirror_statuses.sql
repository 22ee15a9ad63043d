SELECT s.member_id, s.domain, s.state, s.since, s.behind_since, s.reason, s.checked_at, s.failing
FROM bitrix_mirror_status AS s
ORDER BY s.member_id
