package emulator_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

// notProduced are the examples that no answer is compared with, and why.
var notProduced = map[string]string{
	"batch.request.independent.json":               "a request, sent by batch.response.success.json",
	"batch.request.linked.json":                    "a request, sent by TestExampleRequests",
	"batch.request.query-string.txt":               "a request, sent by TestExampleRequests",
	"crm.item.get.request.json":                    "a request",
	"crm.item.list.request.json":                   "a request",
	"crm.lead.add.request.json":                    "a request",
	"crm.lead.delete.request.json":                 "a request",
	"crm.lead.get.request.json":                    "a request",
	"crm.lead.list.request.json":                   "a request",
	"crm.lead.update.request.json":                 "a request",
	"event.bind.request.json":                      "a request",
	"event.offline.clear.request.json":             "a request",
	"event.offline.error.request.json":             "a request",
	"event.offline.get.request.json":               "a request",
	"event.offline.list.request.json":              "a request",
	"event.unbind.request.json":                    "a request",
	"multifield.delete-values.fields.json":         "a request, see TestMultifieldsAreEditedRowByRow",
	"oauth.authorize.request.txt":                  "a request",
	"oauth.token.code.request.txt":                 "a request",
	"oauth.token.refresh.request.txt":              "a request",
	"rest.form-body.lead-add.txt":                  "a request, sent by TestExampleRequests",
	"webhook.inbound.urls.txt":                     "URLs, see TestAllUrlAndBodyForms",
	"event.handler.reply.bad_token.json":           "what an application answers",
	"event.handler.reply.ok.json":                  "what an application answers",
	"network.app-world.json.txt":                   "a list of the vendor's addresses",
	"event.offline.get.response.old-edition.json":  "an older edition; the newer one is followed",
	"event.offline.list.response.old-edition.json": "an older edition; the newer one is followed",
	"event.deal.app-no-refresh.json":               "a deal; the same as event.ONCRMLEADADD without a refresh token",
	"event.deal.outgoing-webhook.json":             "a deal; the same as event.ONCRMLEADADD.outgoing-webhook",
	"event.ONAPPINSTALL.doc-aug2026.json":          "an older edition of event.ONAPPINSTALL.json",
	"error.envelope.json":                          "the shape that all errors share",
	"limits.time-block.jsonish.txt":                "part of every answer",
}

func TestEveryExampleIsTested(t *testing.T) {
	files, err := os.ReadDir("testdata/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		_, not := notProduced[f.Name()]
		_, answer := goldenAnswers[f.Name()]
		_, event := goldenEvents[strings.TrimSuffix(strings.TrimSuffix(f.Name(), ".json"), ".urlencoded")]
		if !not && !answer && !event {
			t.Errorf("%s: no golden test, and no reason why not", f.Name())
		}
	}
}

// scenario is a portal with an installed application and a token for it.
type scenario struct {
	t     *testing.T
	b     *harness
	token string
}

// goldenAnswers say which call gives the answer of each example.
var goldenAnswers = map[string]func(x *scenario) reply{
	"app.info.error.json":    func(x *scenario) reply { return x.b.hook(x.t, "app.info", "") },
	"app.info.response.json": func(x *scenario) reply { return x.b.rest(x.t, x.token, "app.info", "") },
	"batch.response.errors.halt0.json": func(x *scenario) reply {
		return x.b.hook(x.t, "batch", `{"cmd":{"get_user":"crm.lead.get?id=x","get_department":"crm.lead.get?id=y"}}`)
	},
	"batch.response.errors.halt1.json": func(x *scenario) reply {
		return x.b.hook(x.t, "batch", `{"halt":1,"cmd":{"get_user":"crm.lead.get?id=x","get_department":"crm.lead.get?id=y"}}`)
	},
	"batch.response.list-empty.json": func(x *scenario) reply {
		return x.b.hook(x.t, "batch", `{"cmd":{"order0000000000":"crm.lead.list?filter[TITLE]=nobody"}}`)
	},
	"batch.response.mixed-numeric-keys.json": func(x *scenario) reply {
		return x.b.hook(x.t, "batch", `{"cmd":{"0":"crm.lead.get?id=0","1":"crm.lead.get?id=99999","35943":"crm.lead.get?id=3"}}`)
	},
	"batch.response.numeric-keys-all-failed.json": func(x *scenario) reply {
		return x.b.hook(x.t, "batch", `{"cmd":["crm.lead.get?id=0","crm.lead.get?id=99999"]}`)
	},
	"batch.response.success.json": func(x *scenario) reply {
		return x.b.hook(x.t, "batch", `{"cmd":{"get_user":"user.current","get_department":"department.get?ID=$result[get_user][UF_DEPARTMENT][0]"}}`)
	},
	"crm.item.get.error.not_found.json": func(x *scenario) reply {
		return x.b.hook(x.t, "crm.item.get", `{"entityTypeId":1,"id":99999}`)
	},
	"crm.item.get.lead.response.json": func(x *scenario) reply {
		x.b.hook(x.t, "crm.lead.update", `{"id":3,"fields":{"BIRTHDATE":"2000-01-01","CONTACT_ID":0,"COMPANY_ID":0,"STATUS_ID":"NEW","OPPORTUNITY":999.9}}`)
		return x.b.hook(x.t, "crm.item.get", `{"entityTypeId":1,"id":3}`)
	},
	"crm.item.list.error.bad_filter.json": func(x *scenario) reply {
		return x.b.hook(x.t, "crm.item.list", `{"entityTypeId":1,"filter":{"FIELD":1}}`)
	},
	"crm.item.list.lead.response.json": func(x *scenario) reply {
		x.b.hook(x.t, "crm.lead.add", `{"fields":{"NAME":"Klaus","SOURCE_ID":"WEB","OPPORTUNITY":12000.5,"IS_MANUAL_OPPORTUNITY":"Y"}}`)
		return x.b.send(x.t, "crm.item.list.request.json", "")
	},
	"crm.lead.add.response.json":        func(x *scenario) reply { return x.b.send(x.t, "crm.lead.add.request.json", "") },
	"crm.lead.delete.response.json":     func(x *scenario) reply { return x.b.hook(x.t, "crm.lead.delete", `{"id":"3"}`) },
	"crm.lead.fields.response.json":     func(x *scenario) reply { return x.b.hook(x.t, "crm.lead.fields", "") },
	"crm.lead.get.error.not_found.json": func(x *scenario) reply { return x.b.hook(x.t, "crm.lead.get", `{"id":99999}`) },
	"crm.lead.update.error.bad_id.json": func(x *scenario) reply { return x.b.hook(x.t, "crm.lead.update", `{"id":0}`) },
	"crm.lead.update.response.json": func(x *scenario) reply {
		return x.b.hook(x.t, "crm.lead.update", `{"id":3,"fields":{}}`)
	},
	"crm.lead.userfield.list.response.json": func(x *scenario) reply {
		return x.b.hook(x.t, "crm.lead.userfield.list", `{"filter":{"FIELD_NAME":["UF_CRM_1713790573","UF_CRM_1724077760","UF_CRM_1722578010","UF_CRM_1709565075","UF_CRM_HELLO_WORLD"],"LANG":"en"}}`)
	},
	"crm.lead.userfield.get.response.json": func(x *scenario) reply { return x.b.hook(x.t, "crm.lead.userfield.get", `{"id":6997}`) },
	"crm.status.list.response.json": func(x *scenario) reply {
		return x.b.hook(x.t, "crm.status.list", `{"filter":{"ENTITY_ID":"STATUS"},"order":{"SORT":"ASC"}}`)
	},
	"crm.lead.get.response.json": func(x *scenario) reply {
		return x.b.hook(x.t, "crm.lead.get", `{"id":`+jsonText(x.t, sampleLead(x.t, x.b))+`}`)
	},
	"crm.lead.list.response.json": func(x *scenario) reply {
		return x.b.hook(x.t, "crm.lead.list", `{"select":["*","UF_CRM_1704817278","UF_CRM_1706782596092","UF_CRM_1708952993785"]}`)
	},
	"crm.lead.list.error.access_denied.json": func(x *scenario) reply {
		x.b.SetFaults(emulator.Faults{Hidden: 1})
		return x.b.hook(x.t, "crm.lead.get", `{"id":3}`)
	},
	"error.401.NO_AUTH_FOUND.json": func(x *scenario) reply { return x.b.rest(x.t, "x", "profile", "") },
	"error.401.expired_token.json": func(x *scenario) reply {
		x.b.ExpireTokens()
		return x.b.rest(x.t, x.token, "profile", "")
	},
	"error.403.ACCESS_DENIED.tariff.json":  refusedWith("ACCESS_DENIED"),
	"error.403.insufficient_scope.json":    refusedWith("insufficient_scope"),
	"error.429.OPERATION_TIME_LIMIT.json":  refusedWith("OPERATION_TIME_LIMIT"),
	"error.500.INTERNAL_SERVER_ERROR.json": refusedWith("INTERNAL_SERVER_ERROR"),
	"error.503.OVERLOAD_LIMIT.json":        refusedWith("OVERLOAD_LIMIT"),
	"error.503.QUERY_LIMIT_EXCEEDED.json":  refusedWith("QUERY_LIMIT_EXCEEDED"),
	"event.bind.error.json": func(x *scenario) reply {
		return x.b.rest(x.t, x.token, "event.bind", "event=X&handler=http://a.b/")
	},
	"event.bind.response.json":   func(x *scenario) reply { return x.b.send(x.t, "event.bind.request.json", x.token) },
	"event.unbind.response.json": func(x *scenario) reply { return x.b.send(x.t, "event.unbind.request.json", x.token) },
	"event.unbind.error.json": func(x *scenario) reply {
		return x.b.rest(x.t, employee(x.t, x.b), "event.unbind", "event=ONCRMLEADADD&event_type=offline")
	},
	"event.get.response.json": func(x *scenario) reply {
		x.b.send(x.t, "event.bind.request.json", x.token)
		x.b.rest(x.t, x.token, "event.bind", "event=ONCRMLEADADD&handler=https://www.my-domain.com/handler/&auth_type=15")
		return x.b.rest(x.t, x.token, "event.get", "")
	},
	"event.offline.clear.response.json": func(x *scenario) reply {
		return x.b.send(x.t, "event.offline.clear.request.json", x.token)
	},
	"event.offline.error.response.json": func(x *scenario) reply {
		return x.b.send(x.t, "event.offline.error.request.json", x.token)
	},
	"event.offline.error-access-denied.json": func(x *scenario) reply {
		return x.b.rest(x.t, employee(x.t, x.b), "event.offline.get", "")
	},
	"event.offline.get.response.json": func(x *scenario) reply {
		x.b.rest(x.t, x.token, "event.bind", "event=ONCRMLEADADD&event_type=offline")
		x.b.hook(x.t, "crm.lead.add", "")
		return x.b.rest(x.t, x.token, "event.offline.get", "")
	},
	"event.offline.list.response.json": func(x *scenario) reply {
		x.b.rest(x.t, x.token, "event.bind", "event=ONCRMLEADADD&event_type=offline")
		x.b.SetFaults(emulator.Faults{NoUser: 1})
		x.b.hook(x.t, "crm.lead.add", "") // by the webhook
		x.b.SetFaults(emulator.Faults{})
		x.b.hook(x.t, "crm.lead.add", "")
		return x.b.send(x.t, "event.offline.list.request.json", x.token)
	},
	"events.response.json": func(x *scenario) reply { return x.b.rest(x.t, x.token, "events", "FULL=1") },
	"feature.get.response.json": func(x *scenario) reply {
		return x.b.hook(x.t, "feature.get", `{"CODE":"rest_auth_connector"}`)
	},
	"oauth.redirect.query.txt":          nil, // TestAuthorizeRedirectsWithSixParameters
	"oauth.token.code.response.json":    nil, // TestTokenAnswerHasTheKeysOfAllSamples
	"oauth.token.refresh.response.json": nil,
	"oauth.token.response.observed-shape.json": func(x *scenario) reply {
		_, refresh := x.b.authorize(x.t)
		return x.b.token(x.t, "grant_type=refresh_token&refresh_token="+refresh)
	},
	"oauth.token.error.invalid_grant.json": func(x *scenario) reply {
		return x.b.token(x.t, "grant_type=refresh_token&refresh_token=x")
	},
	"oauth.token.error.payment_required.json": func(x *scenario) reply {
		x.b.SetFaults(emulator.Faults{PaymentRequired: true})
		return x.b.token(x.t, "grant_type=refresh_token&refresh_token=x")
	},
	"oauth.token.error.wrong_client.json": func(x *scenario) reply {
		return x.b.do(x.t, http.MethodGet, x.b.info.OAuth+"/oauth/token/?grant_type=refresh_token&refresh_token=x&client_id=x&client_secret=x", "", "")
	},
	"profile-style.first-call.response.json": func(x *scenario) reply { return x.b.hook(x.t, "profile", "") },
	"server.time.response.json":              func(x *scenario) reply { return x.b.hook(x.t, "server.time", "") },
}

func refusedWith(code string) func(*scenario) reply {
	return func(x *scenario) reply {
		x.b.SetFaults(emulator.Faults{Refuse: code})
		return x.b.hook(x.t, "crm.lead.list", "")
	}
}

// sampleLead is a lead like that of the documentation's sample.
func sampleLead(t *testing.T, b *harness) any {
	t.Helper()
	r := b.hook(t, "crm.lead.add", `{"fields":{"TITLE":"Lead #1591","SOURCE_ID":"1","STATUS_ID":"IN_PROCESS","CURRENCY_ID":"EUR",
		"PHONE":[{"VALUE":"+15454777777","VALUE_TYPE":"OTHER"}],"IM":[{"VALUE":"imol|livechat|1|67|21","VALUE_TYPE":"OPENLINE"}]}}`)
	return r.tree["result"]
}

// employee is the access token of a user who is not an administrator, from a callback that
// this user caused.
func employee(t *testing.T, b *harness) string {
	t.Helper()
	r := receive(t)
	b.OutgoingWebhook("")
	token, _ := b.authorize(t)
	b.rest(t, token, "event.bind", "event=ONCRMLEADADD&auth_type=7&handler="+r.URL)
	b.Add(1)
	return b.drain(t, r)[0].Get("auth[access_token]")
}

func topLevelError(t *testing.T, file string) bool {
	t.Helper()
	object, _ := tree(t, example(t, file)).([]member)
	return len(object) > 0 && object[0].key == "error"
}

func TestAnswersLookLikeTheExamples(t *testing.T) {
	extra := regexp.MustCompile(`(^|\.)(UF_CRM_\w+|ufCrm\w*|ADMIN|PERSONAL_GENDER|TIME_ZONE|TIME_ZONE_OFFSET|CONTACT_IDS|LIST|EXTRA|` +
		`next|^\.time|items\[\d+\]\.id|result\.result\.35943\.\w+|error_description)$`)
	lenient := regexp.MustCompile(`ufCrm_\d+$|parentId\d+$|\.next$|\.EXTRA$|\.LIST$|\.SETTINGS\.|ACTIVE$|\.settings$`)
	for file, answer := range goldenAnswers {
		if answer == nil {
			continue
		}
		t.Run(file, func(t *testing.T) {
			b := start(t, emulator.Config{Leads: 120, Seed: 4, NoLimits: true})
			token, _ := b.authorize(t)
			r := answer(&scenario{t, b, token})
			g := &golden{tb: t, extra: extra, lenient: lenient}
			g.compare("", tree(t, example(t, file)), tree(t, r.body))
			if _, failed := r.tree["error"]; failed != topLevelError(t, file) || !failed && r.status != http.StatusOK {
				t.Errorf("status %d: %.300s", r.status, r.body)
			}
			if t.Failed() {
				t.Logf("%.2000s", r.body)
			}
		})
	}
}
