package setup

import (
	"context"
	"io"
	"strings"
	"testing"
)

// asked keeps the questions, and answers them in their order.
type asked struct{ questions, answers []string }

func (a *asked) Ask(_ context.Context, question string) (string, error) {
	a.questions = append(a.questions, question)
	if len(a.answers) == 0 {
		return "", io.EOF
	}
	answer := a.answers[0]
	a.answers = a.answers[1:]
	return answer, nil
}

func (a *asked) AskSecret(ctx context.Context, question string) (string, error) {
	return a.Ask(ctx, question)
}

func TestTheWindowsAccountIsOfferedOnWindowsAlone(t *testing.T) {
	for system, want := range map[string]string{"windows": "", "linux": "sa"} {
		a := &asked{answers: []string{"", "sa"}}
		s := &server{person: dialogue{terminal: a}}
		user, err := s.user(t.Context(), "", system)
		if err != nil || user != want || strings.Contains(a.questions[0], "Windows") != (system == onWindows) {
			t.Errorf("%s: %q, %v, asked %q", system, user, err, a.questions)
		}
	}
}

func TestTheWindowsAccountCanTakeALoginsPlace(t *testing.T) {
	a := &asked{answers: []string{"-"}}
	s := &server{person: dialogue{terminal: a}}
	if user, err := s.user(t.Context(), "sa", onWindows); user != "" || err != nil || !strings.Contains(a.questions[0], "-: the Windows account") {
		t.Errorf("%q, %v, asked %q", user, err, a.questions)
	}
}
