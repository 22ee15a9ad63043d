package events

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"leadsync/guide"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Server says where an external NATS server or cluster is, and how to log in. What is "" is
// not used.
type Server struct {
	URL      string // nats:// or tls://host:4222, several separated by commas
	Token    string
	User     string
	Password string
	Creds    string // a file: JWT and seed, as `nsc` makes it
	NKey     string // a file: the seed of a user
	CA       string // a file: certificates that sign the server's
	Cert     string // a file: our certificate; it goes with Key
	Key      string // a file: the key of Cert
}

// Connect connects to an external NATS server or cluster. While the connection is down,
// publishing fails at once instead of being buffered, because a buffer in memory loses
// callbacks that were answered 200. The connection is never given up: a server that refuses
// us is asked again like one that is down.
func Connect(s Server, more ...nats.Option) (*nats.Conn, error) {
	opts, err := s.options()
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(s.URL, append(opts, more...)...)
	if err != nil {
		heading := guide.NATS
		if Refused(err) {
			heading = guide.NATSLogIn
		}
		return nil, guide.At(heading, fmt.Errorf("connect to NATS at %s: %w (%s)", WithoutPassword(s.URL), err, advice(err)))
	}
	return nc, nil
}

// ConnectLater is Connect for a service that can work without NATS for a while: it keeps
// trying if no server can be reached yet, and publishing fails at once until then.
func ConnectLater(s Server) (*nats.Conn, error) {
	return Connect(s, nats.RetryOnFailedConnect(true))
}

// options are those of the server, with the files that they name.
func (s Server) options() ([]nats.Option, error) {
	opts := append(Options(), nats.Timeout(5*time.Second))
	if s.Token != "" {
		opts = append(opts, nats.Token(s.Token))
	}
	if s.User != "" {
		opts = append(opts, nats.UserInfo(s.User, s.Password))
	}
	if s.Creds != "" {
		opts = append(opts, nats.UserCredentials(s.Creds))
	}
	if s.NKey != "" {
		nkey, err := nats.NkeyOptionFromSeed(s.NKey)
		if err != nil {
			return nil, unusable("LEADSYNC_NATS_NKEY", err)
		}
		opts = append(opts, nkey)
	}
	if s.CA != "" {
		if pem, err := os.ReadFile(s.CA); err != nil || !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return nil, unusable("LEADSYNC_NATS_CA", cmp.Or(err, errors.New("the file has no certificates in PEM")))
		}
		opts = append(opts, nats.RootCAs(s.CA))
	}
	if s.Cert != "" {
		if _, err := tls.LoadX509KeyPair(s.Cert, s.Key); err != nil {
			return nil, unusable("LEADSYNC_NATS_CERT and LEADSYNC_NATS_KEY", err)
		}
		opts = append(opts, nats.ClientCert(s.Cert, s.Key))
	}
	return opts, nil
}

// unusable is the error of a file that a setting names: the server has not been asked yet.
func unusable(setting string, err error) error {
	return guide.At(guide.Settings, fmt.Errorf("%s: %w", setting, err))
}

// advice says what to look at after an error of a connection.
func advice(err error) string {
	var unknown x509.UnknownAuthorityError
	var alert *net.OpError // crypto/tls has no type of its own for what the other side says
	switch {
	case Refused(err):
		return "check token, user, password or credentials: LEADSYNC_NATS_TOKEN, LEADSYNC_NATS_USER, LEADSYNC_NATS_CREDS, LEADSYNC_NATS_NKEY"
	case errors.As(err, &unknown):
		return "LEADSYNC_NATS_CA names the certificates that sign the server's"
	case errors.Is(err, nats.ErrTLS), errors.As(err, &alert) && alert.Op == "remote error":
		return "the server ended the TLS handshake: does it ask for a client certificate of an authority that it knows? LEADSYNC_NATS_CERT and LEADSYNC_NATS_KEY name ours"
	default:
		return "is the server running there, with JetStream on?"
	}
}

// Refused reports whether the server does not let us in: it does not know the user, or the
// token or password was changed.
func Refused(err error) bool {
	for _, target := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// Options are the options of all our connections.
func Options() []nats.Option {
	return []nats.Option{
		nats.Name("leadsync"),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // by default the second refusal ends a connection for good
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		// A machine that stands still, or a network that swallows everything, ends no
		// connection. By default the client leaves such a server after four minutes.
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(2),
	}
}

// pingEvery is how often a connection is tested. The third test in a row without an answer
// ends it, and the client goes to the next server of a cluster.
const pingEvery = 5 * time.Second

// WithoutJetStream reports whether a server that is connected has no JetStream for us.
func WithoutJetStream(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// notConnectedError is a client that has no connection at the moment. nats.go says "outbound
// buffer limit exceeded", because we let it buffer nothing.
type notConnectedError struct{ error }

func (notConnectedError) Error() string { return "not connected to NATS" }

// Unwrap is the client's own error.
func (e notConnectedError) Unwrap() error { return e.error }

// named says in words what the client's error means.
func named(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return notConnectedError{err}
	}
	return err
}

// Unavailable reports whether err says that NATS or its JetStream cannot be reached now, or
// does not let us in: what passes without a change here. The end of the caller's own context
// is not such an error, but its deadline is: nobody answered in time.
func Unavailable(err error) bool {
	for _, target := range []error{
		nats.ErrNoResponders, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrTimeout, nats.ErrNoServers,
		nats.ErrDisconnected, nats.ErrStaleConnection, jetstream.ErrJetStreamNotEnabled, jetstream.ErrNoStreamResponse,
		context.DeadlineExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.Code == http.StatusServiceUnavailable || slices.Contains(passing, api.ErrorCode)) || Refused(err)
}

// passing are the answers of a cluster without a majority, of one that is choosing a leader,
// or of one that misses servers, beside all those with the code 503.
var passing = []jetstream.ErrorCode{
	10005, // no suitable peers for placement: fewer servers are up than a stream has replicas
	10007, // JetStream cluster not assigned to this server: its leader has not told it yet
	10009, // JetStream cluster can not handle request: this server leads no longer
	10118, // stream is offline
	10119, // consumer is offline
	10194, // stream is offline, with a reason
	10195, // consumer is offline, with a reason
	10158, // duplicate message id is in process: nobody has confirmed its first try
}

// WithoutPassword strips user and password in each server of a list.
func WithoutPassword(urls string) string {
	list := strings.Split(urls, ",")
	for i, url := range list {
		scheme, rest, ok := strings.Cut(url, "://")
		if at := strings.LastIndex(rest, "@"); ok && at >= 0 { // a password may have one, too
			list[i] = scheme + "://" + rest[at+1:]
		}
	}
	return strings.Join(list, ",")
}
