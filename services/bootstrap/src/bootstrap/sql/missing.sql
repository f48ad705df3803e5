-- Which of $1, the roles, lack the role itself or the schema of its name.
SELECT
    name,
    pg_roles.oid IS NULL AS lacks_role,
    pg_namespace.oid IS NULL AS lacks_schema
FROM unnest($1::text[]) AS name
LEFT JOIN pg_roles ON rolname = name
LEFT JOIN pg_namespace ON nspname = name
WHERE pg_roles.oid IS NULL OR pg_namespace.oid IS NULL
ORDER BY name
