-- solution_insert.sql for a list of rows.
INSERT INTO bitrix_lead_solution (member_id, sql_LEAD_ID, sql_solution)
SELECT
    j.value ->> 'member_id',
    j.value ->> 'sql_LEAD_ID',
    j.value ->> 'sql_solution'
FROM json_each(@solutions) AS j
