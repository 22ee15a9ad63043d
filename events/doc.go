// Package events is what travels on NATS: notices, changes, the subjects and streams
// they travel on, and the leases by which replicas agree who owns what. JetStream's
// names live here. It must not know Bitrix24's REST interface or SQL.
package events
