package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"leadsync/guide"
	"leadsync/leads"
)

// Address is how the check of the public address asks.
type Address struct {
	URL     string // LEADSYNC_PUBLIC_URL; "" where there is none
	Resolve func(ctx context.Context, host string) ([]net.IP, error)
	HTTP    *http.Client // follows no redirect
	Now     func() time.Time
	Early   bool // leadsync need not run yet, so that nobody answering is no fault
}

// certificateSoon is how long before its end a certificate is reported: they are renewed a month before.
const certificateSoon = 14 * 24 * time.Hour

// CheckAddress looks at name, certificate and reachability of the public address, from this
// machine: only a test event of the service proves that Bitrix24 reaches it.
func CheckAddress(a Address) Check {
	return check{"public address", func(ctx context.Context) []Finding {
		u, err := url.Parse(a.URL)
		if a.URL == "" || err != nil {
			return []Finding{unknown("there is none: portals that are reached by webhooks may not need it")}
		}
		found := a.name(ctx, u)
		if found[0].Level == Fault || found[0].Level == Unknown {
			return found
		}
		return append(found, a.answer(ctx, u)...)
	}}
}

// name looks the host up. There is one finding.
func (a Address) name(ctx context.Context, u *url.URL) (found []Finding) {
	var ips []net.IP
	err := Ask(ctx, "DNS", func(ctx context.Context) (err error) {
		ips, err = a.Resolve(ctx, u.Hostname())
		return err
	})
	refusal := (*net.DNSError)(nil)
	if err != nil && (!errors.As(err, &refusal) || !refusal.IsNotFound) {
		return []Finding{unknown("whether it is in DNS, and therefore whether it answers").because(err)}
	}
	if len(ips) == 0 {
		return []Finding{fault(guide.PublicAddress, u.Hostname()+" has no address in DNS", "Bitrix24 cannot send events", "create the DNS record, or correct LEADSYNC_PUBLIC_URL")}
	}
	return []Finding{reachable(u.Hostname(), ips)}
}

// reachable tells whether the addresses of a host are public. A host that is an address itself has no name to explain.
func reachable(host string, ips []net.IP) Finding {
	named := net.ParseIP(host) == nil
	for _, ip := range ips {
		switch inside := ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast(); {
		case inside && named:
			return warning(guide.PublicAddress, fmt.Sprintf("%s is %s here, an address of a private network", host, ip), "a portal in Bitrix24's cloud cannot reach it, unless DNS answers differently outside", "look the name up from outside your network, or use a public name")
		case inside:
			return warning(guide.PublicAddress, host+" is an address of a private network", "a portal in Bitrix24's cloud cannot reach it", "use a public name")
		}
	}
	if !named {
		return ok(host + " is a public address")
	}
	return ok(fmt.Sprintf("in DNS %s is %s", host, ips[0]))
}

// answer asks the address for what only leadsync answers.
func (a Address) answer(ctx context.Context, u *url.URL) (found []Finding) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+leads.CallbackPath, nil)
	if err != nil {
		return []Finding{fault(guide.PublicAddress, "LEADSYNC_PUBLIC_URL is no address", "Bitrix24 cannot send events", "correct LEADSYNC_PUBLIC_URL").because(err)}
	}
	request.Header.Set("User-Agent", leads.ExaminerAgent) // this is no callback gone astray
	var response *http.Response
	err = ask(ctx, u.Host, limit, func(ctx context.Context) (err error) {
		response, err = a.HTTP.Do(request.WithContext(ctx)) //nolint:bodyclose // it is closed below
		return err
	})
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		f := fault(guide.PublicAddress, "its certificate is out of date", "Bitrix24 sends no events to such an address", "renew the certificate, and find out why it was not renewed by itself")
		f.Says = invalid.Detail
		return []Finding{f}
	}
	if a.Early && refused(err) {
		return []Finding{notYet}
	}
	if err != nil {
		return []Finding{fault(guide.PublicAddress, "it does not answer", "Bitrix24 cannot send events, unless only this machine cannot reach it", "start the service; check the reverse proxy, the firewall and the certificate's names and chain").because(err)}
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	found = append(found, a.certificate(u, response.TLS)...)
	switch code := response.StatusCode; {
	case a.Early && (code == http.StatusBadGateway || code == http.StatusServiceUnavailable):
		found = append(found, notYet)
	case code >= 500:
		found = append(found, fault(guide.PublicAddress, fmt.Sprintf("it answers %d", code), "the reverse proxy does not reach leadsync", "start the service; compare the proxy's target with LEADSYNC_HTTP_ADDR"))
	case code >= 300 && code < 400:
		found = append(found, fault(guide.PublicAddress, fmt.Sprintf("it redirects (%d)", code), "Bitrix24's POST would arrive as a GET without its body", "set LEADSYNC_PUBLIC_URL to the address that it redirects to"))
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		found = append(found, fault(guide.PublicAddress, fmt.Sprintf("it answers %d", code), "something in front of leadsync asks for a log-in, which Bitrix24 does not have", "let "+leads.CallbackPath+" through"))
	case code == http.StatusNotFound:
		found = append(found, fault(guide.PublicAddress, "it answers 404 for "+leads.CallbackPath, "another program answers there", "pass /bitrix24/ on to leadsync in the reverse proxy"))
	case code != http.StatusMethodNotAllowed: // what leadsync answers to a GET
		found = append(found, fault(guide.PublicAddress, fmt.Sprintf("it answers %d for a GET of %s, which leadsync does not", code, leads.CallbackPath), "another program answers there", "pass /bitrix24/ on to leadsync in the reverse proxy"))
	default:
		found = append(found, ok("it answers, from this machine; whether Bitrix24 reaches it is shown by the first page: callbacks a minute, and when the portal's mirror is blind"))
	}
	return found
}

// notYet is found where nobody listens behind the address before the first start.
var notYet = unknown("leadsync does not run yet: leadsync doctor looks again after the start")

// errRefusedOnWindows is WSAECONNREFUSED: there syscall.ECONNREFUSED is a number that no call returns.
const errRefusedOnWindows = syscall.Errno(10061)

// refused tells whether the machine answered that nobody listens.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errRefusedOnWindows)
}

// certificate looks when it ends.
func (a Address) certificate(u *url.URL, state *tls.ConnectionState) []Finding {
	if u.Scheme == "http" {
		return []Finding{warning(guide.PublicAddress, "it is plain http", "tokens in callbacks can be read on their way", "put a reverse proxy with a certificate in front of leadsync")}
	}
	if state == nil || len(state.PeerCertificates) == 0 {
		return []Finding{unknown("its certificate")}
	}
	end := state.PeerCertificates[0].NotAfter
	words := "its certificate ends on " + end.Format(time.DateOnly)
	if end.Sub(a.Now()) < certificateSoon {
		return []Finding{warning(guide.PublicAddress, words, "Bitrix24 sends no events to an address whose certificate has ended", "renew it, and find out why it was not renewed by itself")}
	}
	return []Finding{ok(words)}
}

// How far clocks may differ before that is a warning, and a fault.
const (
	skewWarning = 5 * time.Second
	skewFault   = 2 * time.Minute
)

// CheckClock compares our clock with a portal's. The name that ask returns is empty where there is
// no portal.
func CheckClock(now func() time.Time, ask func(ctx context.Context) (theirs time.Time, who string, err error)) Check {
	return check{"clock", func(ctx context.Context) []Finding {
		began := now()
		theirs, who, err := ask(ctx)
		ended := now()
		if err != nil {
			return []Finding{unknown("it could not be compared").because(err)}
		}
		if who == "" {
			return []Finding{unknown("there is no portal to compare it with yet")}
		}
		middle := began.Add(ended.Sub(began) / 2)
		skew := middle.Sub(theirs)
		skew = max(0, skew.Abs()-time.Second-ended.Sub(began)/2) // the header has whole seconds
		words := fmt.Sprintf("it differs from that of %s by %s", who, skew.Round(time.Second))
		do := "let the machine follow a time server (chrony, systemd-timesyncd, w32time)"
		switch {
		case skew > skewFault:
			return []Finding{fault(guide.Clock, words, "tokens seem to be valid when they are not, and ages in reports and alarms are wrong", do)}
		case skew > skewWarning:
			return []Finding{warning(guide.Clock, words, "ages in reports are wrong by as much", do)}
		}
		return []Finding{ok(words)}
	}}
}
