package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"openrs/stages/atomicfile"
)

// ErrChanged says that an evaluation was begun with other settings.
var ErrChanged = errors.New("another setting")

// Setting is something that finished samples depend on.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Settings are what the finished samples of an evaluation depend on. The number of samples is not among
// them: more or fewer of them leave the others as they are.
type Settings []Setting

// Settings of a plan's tasks.
func (p *Plan) Settings() Settings {
	var all Settings
	for _, t := range p.tasks {
		add := func(name, value string) {
			all = append(all, Setting{t.Name + " " + name, value})
		}
		add("problems", fmt.Sprintf("%d with digest %s", len(t.Problems), t.digest()))
		add("temperature", strconv.FormatFloat(t.Sampling.Temperature, 'g', -1, 64))
		add("top-p", strconv.FormatFloat(t.Sampling.TopP, 'g', -1, 64))
		add("max-tokens", strconv.Itoa(t.Sampling.MaxTokens))
		add("seed", strconv.FormatInt(t.Sampling.Seed, 10))
		add("system message", strconv.Quote(t.System))
	}
	return all
}

// Value returns a setting.
func (s Settings) Value(name string) (string, bool) {
	i := slices.IndexFunc(s, func(x Setting) bool { return x.Name == name })
	if i < 0 {
		return "", false
	}
	return s[i].Value, true
}

// Check refuses, by name and both values, settings that differ from those that an evaluation was begun
// with; [ErrChanged]. What only one of them has is no difference: models and tasks come and go.
func (s Settings) Check(begun Settings) error {
	for _, mine := range s {
		if theirs, ok := begun.Value(mine.Name); ok && theirs != mine.Value {
			return fmt.Errorf("%w: %s was %s, now it is %s", ErrChanged, mine.Name, theirs, mine.Value)
		}
	}
	return nil
}

// merge adds the settings that only begun has, so that they are not forgotten.
func (s Settings) merge(begun Settings) Settings {
	all := slices.Clone(s)
	for _, old := range begun {
		if _, ok := s.Value(old.Name); !ok {
			all = append(all, old)
		}
	}
	return all
}

// Begin checks the settings with those that the file at path has from an earlier start, if there is
// one, and writes them there.
func (s Settings) Begin(path string) error {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		begun, err := ParseSettings(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := s.Check(begun); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		s = s.merge(begun)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(s.JSON())
		return err
	})
}

// Begun is when an evaluation was first begun, which the file at path remembers: the time of the first call.
func Begun(path string) (time.Time, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
		if err != nil {
			return at, fmt.Errorf("%s: %w", path, err)
		}
		return at, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	return now, atomicfile.Write(path, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, now.Format(time.RFC3339))
		return err
	})
}

// JSON of the settings, for people too.
func (s Settings) JSON() []byte {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // strings only
	}
	return append(text, '\n')
}

// ParseSettings reads what [Settings.JSON] has written.
func ParseSettings(text []byte) (Settings, error) {
	var s Settings
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return s, nil
}
