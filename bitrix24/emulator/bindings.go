package emulator

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// binding is one registered handler, or one offline registration.
type binding struct {
	id        int
	event     string
	handler   string // empty for offline
	authType  int    // 0: the user who caused the event
	offline   bool
	connector string
	minWait   int    // seconds between two ONOFFLINEEVENT
	webhook   bool   // an outgoing webhook: created in the portal, not by event.bind
	token     string // of an outgoing webhook
}

// bindings are the registered handlers.
type bindings struct {
	mu     sync.Mutex
	lastID int
	all    []binding
}

// add adds a registration; it returns false if the same one exists.
func (b *bindings) add(n binding) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.all {
		if o.event == n.event && o.handler == n.handler && o.authType == n.authType && o.offline == n.offline &&
			o.connector == n.connector && o.webhook == n.webhook {
			return false
		}
	}
	b.lastID++
	n.id = 699 + 2*b.lastID
	b.all = append(b.all, n)
	return true
}

// remove deletes the registrations that fit and returns how many.
func (b *bindings) remove(fits func(binding) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.all)
	b.all = slices.DeleteFunc(b.all, fits)
	return before - len(b.all)
}

// of returns the registrations for an event.
func (b *bindings) of(event string) []binding {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []binding
	for _, o := range b.all {
		if o.event == event {
			found = append(found, o)
		}
	}
	return found
}

func (b *bindings) list() []binding {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// eventBind is event.bind (docs/bitrix24.md 2.1).
func eventBind(c *call) (answer, error) {
	n, err := c.binding()
	if err != nil {
		return answer{}, err
	}
	if !slices.Contains(eventNames, n.event) {
		return answer{}, errEventUnknown
	}
	if n.offline && n.event == "ONOFFLINEEVENT" || n.offline && strings.HasPrefix(n.event, "ONAPP") {
		return answer{}, errArgument("Offline event cannot be registered for this event.")
	}
	if n.offline && (!c.caller.user.admin || c.cfg.Switches.NoOffline) || n.authType != 0 && n.authType != c.caller.user.id && !c.caller.user.admin {
		return answer{}, errAdminOnly
	}
	if n.connector != "" && c.cfg.Switches.NoAuthConnector {
		return answer{}, errConnectorPlan
	}
	if !c.caller.user.admin {
		n.authType = c.caller.user.id
	}
	if !c.bindings.add(n) {
		return answer{}, errHandlerBound
	}
	return answer{result: true}, nil
}

// binding reads the parameters that event.bind and event.unbind share.
func (c *call) binding() (binding, error) {
	n := binding{event: strings.ToUpper(c.text("event")), handler: c.text("handler")}
	if n.event == "" {
		return n, errArgument("Argument 'EVENT' is null or empty")
	}
	switch kind := strings.ToLower(cmp.Or(c.text("event_type"), "online")); kind {
	case "offline":
		n.offline, n.handler = true, ""
		n.connector = c.text("auth_connector")
		return n, nil
	case "online":
	default:
		return n, errArgument("Value must be one of {online|offline}")
	}
	if n.handler == "" {
		return n, errArgument("Argument 'HANDLER' is null or empty")
	}
	u, err := url.Parse(n.handler)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return n, errHandlerURL
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return n, errHandlerScheme
	}
	if !strings.Contains(u.Hostname(), ".") {
		return n, errHandlerURL
	}
	n.authType, _ = strconv.Atoi(c.text("auth_type"))
	n.minWait = 1
	if options := c.param("options"); options != nil && options.Fold("minTimeout") != nil {
		n.minWait, _ = strconv.Atoi(options.Fold("minTimeout").Value)
	}
	return n, nil
}

// eventUnbind is event.unbind (docs/bitrix24.md 2.2).
func eventUnbind(c *call) (answer, error) {
	n, err := c.binding()
	if err != nil {
		return answer{}, err
	}
	if n.offline && !c.caller.user.admin {
		return answer{}, errOfflineUnbind
	}
	anyUser := c.param("auth_type") == nil
	count := c.bindings.remove(func(o binding) bool {
		return !o.webhook && o.event == n.event && o.handler == n.handler && o.offline == n.offline &&
			o.connector == n.connector && (anyUser || o.authType == n.authType)
	})
	return answer{result: object{{"count", count}}}, nil
}

// eventGet is event.get: no paging, outgoing webhooks are not among them.
func eventGet(c *call) (answer, error) {
	rows := list{}
	for _, b := range c.bindings.list() {
		switch {
		case b.webhook:
		case b.offline:
			rows = append(rows, object{{"event", b.event}, {"connector_id", b.connector}, {"offline", 1}})
		default:
			rows = append(rows, object{{"event", b.event}, {"handler", b.handler}, {"auth_type", strconv.Itoa(b.authType)}, {"offline", 0}})
		}
	}
	return answer{result: rows}, nil
}

// eventNames are the events that can be bound (events.response.json; ONAPPUSERREADY
// is newer than that page).
var eventNames = strings.Fields(`ONAPPUNINSTALL ONAPPINSTALL ONAPPUPDATE ONAPPPAYMENT ONAPPTEST ONAPPMETHODCONFIRM ONAPPUSERREADY
	ONOFFLINEEVENT ONUSERADD ONCRMINVOICEADD ONCRMINVOICEUPDATE ONCRMINVOICEDELETE ONCRMINVOICESETSTATUS
	ONCRMLEADADD ONCRMLEADUPDATE ONCRMLEADDELETE ONCRMLEADUSERFIELDADD ONCRMLEADUSERFIELDUPDATE
	ONCRMLEADUSERFIELDDELETE ONCRMLEADUSERFIELDSETENUMVALUES ONCRMDEALADD ONCRMDEALUPDATE ONCRMDEALDELETE
	ONCRMDEALMOVETOCATEGORY ONCRMDEALUSERFIELDADD ONCRMDEALUSERFIELDUPDATE ONCRMDEALUSERFIELDDELETE
	ONCRMDEALUSERFIELDSETENUMVALUES ONCRMCOMPANYADD ONCRMCOMPANYUPDATE ONCRMCOMPANYDELETE
	ONCRMCOMPANYUSERFIELDADD ONCRMCOMPANYUSERFIELDUPDATE ONCRMCOMPANYUSERFIELDDELETE
	ONCRMCOMPANYUSERFIELDSETENUMVALUES ONCRMCONTACTADD ONCRMCONTACTUPDATE ONCRMCONTACTDELETE
	ONCRMCONTACTUSERFIELDADD ONCRMCONTACTUSERFIELDUPDATE ONCRMCONTACTUSERFIELDDELETE
	ONCRMCONTACTUSERFIELDSETENUMVALUES ONCRMQUOTEADD ONCRMQUOTEUPDATE ONCRMQUOTEDELETE ONCRMQUOTEUSERFIELDADD
	ONCRMQUOTEUSERFIELDUPDATE ONCRMQUOTEUSERFIELDDELETE ONCRMQUOTEUSERFIELDSETENUMVALUES
	ONCRMINVOICEUSERFIELDADD ONCRMINVOICEUSERFIELDUPDATE ONCRMINVOICEUSERFIELDDELETE
	ONCRMINVOICEUSERFIELDSETENUMVALUES ONCRMCURRENCYADD ONCRMCURRENCYUPDATE ONCRMCURRENCYDELETE ONCRMPRODUCTADD
	ONCRMPRODUCTUPDATE ONCRMPRODUCTDELETE ONCRMPRODUCTPROPERTYADD ONCRMPRODUCTPROPERTYUPDATE
	ONCRMPRODUCTPROPERTYDELETE ONCRMPRODUCTSECTIONADD ONCRMPRODUCTSECTIONUPDATE ONCRMPRODUCTSECTIONDELETE
	ONCRMACTIVITYADD ONCRMACTIVITYUPDATE ONCRMACTIVITYDELETE ONCRMREQUISITEADD ONCRMREQUISITEUPDATE
	ONCRMREQUISITEDELETE ONCRMREQUISITEUSERFIELDADD ONCRMREQUISITEUSERFIELDUPDATE ONCRMREQUISITEUSERFIELDDELETE
	ONCRMREQUISITEUSERFIELDSETENUMVALUES ONCRMBANKDETAILADD ONCRMBANKDETAILUPDATE ONCRMBANKDETAILDELETE
	ONCRMADDRESSREGISTER ONCRMADDRESSUNREGISTER ONCRMMEASUREADD ONCRMMEASUREUPDATE ONCRMMEASUREDELETE
	ONCRMDEALRECURRINGADD ONCRMDEALRECURRINGUPDATE ONCRMDEALRECURRINGDELETE ONCRMDEALRECURRINGEXPOSE
	ONCRMINVOICERECURRINGADD ONCRMINVOICERECURRINGUPDATE ONCRMINVOICERECURRINGDELETE ONCRMINVOICERECURRINGEXPOSE
	ONCRMTIMELINECOMMENTADD ONCRMTIMELINECOMMENTUPDATE ONCRMTIMELINECOMMENTDELETE ONCRMDYNAMICITEMADD
	ONCRMDYNAMICITEMUPDATE ONCRMDYNAMICITEMDELETE ONCRMDYNAMICITEMADD_147 ONCRMDYNAMICITEMUPDATE_147
	ONCRMDYNAMICITEMDELETE_147 ONCRMTYPEADD ONCRMTYPEUPDATE ONCRMTYPEDELETE ONCRMDOCUMENTGENERATORDOCUMENTADD
	ONCRMDOCUMENTGENERATORDOCUMENTUPDATE ONCRMDOCUMENTGENERATORDOCUMENTDELETE ONTASKADD ONTASKUPDATE
	ONTASKDELETE ONTASKCOMMENTADD ONTASKCOMMENTUPDATE ONTASKCOMMENTDELETE`)
