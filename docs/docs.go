// Package docs holds the documents that the service serves: what travels on NATS, for
// programs. It knows nothing of the code.
package docs

import "embed"

// Topics is asyncapi.yaml, and schemas/*.json to which it refers.
//
//go:embed asyncapi.yaml schemas/*.json
var Topics embed.FS
