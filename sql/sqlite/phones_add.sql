-- phones_insert.sql for a list of rows.
INSERT INTO leadsync_phones (digits10, member_id, lead_id, contact_id, position, e164, extension, repeated, closed, created_at)
SELECT
    j.value ->> 'digits10',
    j.value ->> 'member_id',
    j.value ->> 'lead_id',
    j.value ->> 'contact_id',
    j.value ->> 'position',
    j.value ->> 'e164',
    j.value ->> 'extension',
    j.value ->> 'repeated',
    j.value ->> 'closed',
    j.value ->> 'created_at'
FROM json_each(@phones) AS j
