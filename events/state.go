package events

import "context"

// State is what a server says of itself and of leadsync's streams.
type State struct {
	Version string // of the server
	Cluster string // its name; "" for a single server
	Streams []StreamState
}

// StreamState is a stream as it is stored.
type StreamState struct {
	Name     string
	Replicas int
	Lagging  int // copies that are behind or offline
}

// Examine looks at the server and at leadsync's streams, and changes nothing. Its errors are
// those of Look.
func Examine(ctx context.Context, bus *Bus) (State, error) {
	if err := bus.look(ctx); err != nil {
		return State{}, err
	}
	state := State{Version: bus.Conn().ConnectedServerVersion(), Cluster: bus.Conn().ConnectedClusterName()}
	for _, cfg := range streams() {
		stream, err := bus.js.Stream(ctx, bus.Name(cfg.Name))
		if err != nil {
			return State{}, bus.named(err)
		}
		info := stream.CachedInfo()
		s := StreamState{Name: info.Config.Name, Replicas: max(1, info.Config.Replicas)}
		if info.Cluster != nil {
			for _, peer := range info.Cluster.Replicas {
				if peer.Offline || !peer.Current {
					s.Lagging++
				}
			}
		}
		state.Streams = append(state.Streams, s)
	}
	return state, nil
}
