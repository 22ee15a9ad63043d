SELECT
    p.bound_events, p.bound_at, o.owner, o.epoch, o.budget_at, o.budget_level, o.budget_depth, o.budget_share,
    o.budget_refusals, o.budget_plan, o.problem, o.problem_since, o.problem_parts, o.note, o.beat_at
FROM leadsync_portals AS p
LEFT JOIN leadsync_owners AS o ON o.member_id = p.member_id
WHERE p.member_id = @member_id
