-- The tables of the Oktell call centre, as the script of the document "Использование REST API Bitrix24" (2015) makes them.
-- Only USE is left out, and what the page has lost of one comment; GO ends a batch.

-- [bitrix_oauth]
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[bitrix_oauth](
	[Id] [int] IDENTITY(1,1) NOT NULL,
	[access_token] [nvarchar](2000) NULL,
	[expires_in] [nvarchar](2000) NULL,
	[scope] [nvarchar](2000) NULL,
	[user_id] [nvarchar](2000) NULL,
	[refresh_token] [nvarchar](2000) NULL,
	[domain] [nvarchar](2000) NULL,
	[member_id] [nvarchar](2000) NULL,
	[redirect_uri] [nvarchar](2000) NULL,
	[client_id] [nvarchar](2000) NULL,
	[client_secret] [nvarchar](2000) NULL,
	[dateexec] [datetime] NULL,
	[code] [nvarchar](2000) NULL,
PRIMARY KEY CLUSTERED (
	[Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON) ON [PRIMARY] ) ON [PRIMARY]
GO

-- [bitrix_leads]
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[bitrix_leads](
	[Id] [int] IDENTITY(1,1) NOT NULL,
	[sql_ADDRESS] [nvarchar](3000) NULL,
	[sql_ADDRESS_2] [nvarchar](3000) NULL,
	[sql_ADDRESS_CITY] [nvarchar](3000) NULL,
	[sql_ADDRESS_COUNTRY] [nvarchar](3000) NULL,
	[sql_ADDRESS_COUNTRY_CODE] [nvarchar](3000) NULL,
	[sql_ADDRESS_POSTAL_CODE] [nvarchar](3000) NULL,
	[sql_ADDRESS_PROVINCE] [nvarchar](3000) NULL,
	[sql_ADDRESS_REGION] [nvarchar](3000) NULL,
	[sql_ASSIGNED_BY_ID] [nvarchar](3000) NULL,
	[sql_BIRTHDATE] [datetime] NULL,
	[sql_COMMENTS] [ntext] NULL,
	[sql_COMPANY_ID] [nvarchar](3000) NULL,
	[sql_COMPANY_TITLE] [nvarchar](4000) NULL,
	[sql_CONTACT_ID] [nvarchar](3000) NULL,
	[sql_CREATED_BY_ID] [nvarchar](3000) NULL,
	[sql_CURRENCY_ID] [nvarchar](3000) NULL,
	[sql_DATE_CLOSED] [datetime] NULL,
	[sql_DATE_CREATE] [datetime] NULL,
	[sql_DATE_MODIFY] [datetime] NULL,
	[sql_ID] [int] NOT NULL,
	[sql_LAST_NAME] [nvarchar](3000) NULL,
	[sql_MODIFY_BY_ID] [nvarchar](3000) NULL,
	[sql_NAME] [nvarchar](3000) NULL,
	[sql_OPENED] [nvarchar](3000) NULL,
	[sql_OPPORTUNITY] [nvarchar](3000) NULL,
	[sql_ORIGIN_ID] [nvarchar](3000) NULL,
	[sql_ORIGINATOR_ID] [nvarchar](3000) NULL,
	[sql_POST] [nvarchar](3000) NULL,
	[sql_SECOND_NAME] [nvarchar](3000) NULL,
	[sql_SOURCE_DESCRIPTION] [nvarchar](3000) NULL,
	[sql_SOURCE_ID] [nvarchar](3000) NULL,
	[sql_STATUS_DESCRIPTION] [nvarchar](3000) NULL,
	[sql_STATUS_ID] [nvarchar](3000) NULL,
	[sql_TITLE] [nvarchar](4000) NULL,
CONSTRAINT [PK__bitrix_l__3214EC075C4299A5] PRIMARY KEY CLUSTERED (
	[Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON) ON [PRIMARY] ) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
GO

-- [bitrix_lead_contacts]
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[bitrix_lead_contacts](
	[Id] [int] IDENTITY(1,1) NOT NULL,
	[sql_LEAD_ID] [int] NULL,
	[sql_CONTACT_ID] [nvarchar](2000) NULL,
	[sql_VALUE_TYPE] [nvarchar](2000) NULL,
	[sql_VALUE] [nvarchar](2000) NULL,
	[sql_TYPE_ID] [nvarchar](2000) NULL,
CONSTRAINT [PK__bitrix_l__3214EC07699C94C3] PRIMARY KEY CLUSTERED (
	[Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON) ON [PRIMARY] ) ON [PRIMARY]
GO

-- [bitrix_import_lead_error]
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[bitrix_import_lead_error](
	[Id] [int] IDENTITY(1,1) NOT NULL,
	[sql_ID] [nvarchar](2000) NULL,
	[sql_error] [nvarchar](2000) NULL,
	[sql_full_lead_info] [ntext] NULL,
	[sql_date_error] [datetime] NULL,
PRIMARY KEY CLUSTERED (
	[Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON) ON [PRIMARY] ) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
GO

-- [bitrix_lead_runtime]
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[bitrix_lead_runtime](
	[Id] [int] IDENTITY(1,1) NOT NULL,
	[lead_get_by_id_dt] [datetime] NULL,
	[lead_list_dt] [datetime] NULL,
PRIMARY KEY CLUSTERED (
	[Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON) ON [PRIMARY] ) ON [PRIMARY]
GO

-- [bitrix_lead_solution]
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[bitrix_lead_solution](
	[Id] [int] IDENTITY(1,1) NOT NULL,
	[sql_LEAD_ID] [int] NULL,
	[sql_solution] [nvarchar](2000) NULL,
CONSTRAINT [PK__bitrix_l__3214EC0765CC03DF] PRIMARY KEY CLUSTERED (
	[Id] ASC
)WITH (PAD_INDEX = OFF, STATISTICS_NORECOMPUTE = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON, ALLOW_PAGE_LOCKS = ON) ON [PRIMARY] ) ON [PRIMARY]
GO
