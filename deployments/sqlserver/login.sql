-- The log-in of the service on the database server of deployments/compose.yaml: it may use the tables, and change nothing about them. sqlcmd puts
-- the password in. Repeating it does no harm, and changes the password; without a policy, which would refuse the same one again.

IF SUSER_ID(N'leadsync') IS NULL
CREATE LOGIN leadsync WITH PASSWORD = N'$(LOGIN_PASSWORD)', CHECK_POLICY = OFF;
ELSE
ALTER LOGIN leadsync WITH PASSWORD = N'$(LOGIN_PASSWORD)';
GO

IF DATABASE_PRINCIPAL_ID(N'leadsync') IS NULL
CREATE USER leadsync FOR LOGIN leadsync;
GO

ALTER ROLE leadsync_service ADD MEMBER leadsync;
GO
