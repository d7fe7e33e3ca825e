package load

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// text turns a cell into text, without white space around it. Whole floats
// lose their fraction (27.0 is 27), other numbers are written as short as
// they can be read back, lists are their elements joined by ", " (a list of
// one is that one). nil and an empty list give "". Objects are refused.
//
// Text stays as it is: "033" keeps its zeros, "27.0" its fraction.
func text(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(v), nil
	case []byte:
		return strings.TrimSpace(string(v)), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return float(v, 64)
	case float32:
		return float(float64(v), 32)
	case json.Number:
		return number(v)
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), nil
	case []any:
		return list(v)
	case []string:
		return list(v)
	case []float64:
		return list(v)
	case []int64:
		return list(v)
	case []int32:
		return list(v)
	}
	return "", fmt.Errorf("want text, a number or a list of them, found %T", v)
}

func list[T any](values []T) (string, error) {
	parts := make([]string, 0, len(values))
	for _, v := range values {
		s, err := text(v)
		if err != nil {
			return "", err
		}
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", "), nil
}

// float writes a number that a file stores in binary. Integers beyond 2^53
// can't be told from their neighbours there and are left in scientific
// notation, which says so.
func float(v float64, bits int) (string, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "", fmt.Errorf("want a finite number, found %v", v)
	}
	if v == 0 {
		return "0", nil
	}
	if abs := math.Abs(v); abs >= 1<<53 || abs < 1e-6 {
		return strconv.FormatFloat(v, 'g', -1, bits), nil
	}
	return strconv.FormatFloat(v, 'f', -1, bits), nil
}

// number writes a number of a JSON text: integers digit by digit, whatever
// their size, everything else like a float.
func number(n json.Number) (string, error) {
	s := n.String()
	if !strings.ContainsAny(s, ".eE") {
		return s, nil
	}
	v, err := n.Float64()
	if err != nil {
		return "", fmt.Errorf("want a number, found %q", s)
	}
	return float(v, 64)
}

// message is text for a problem's column, which may also be a chat: a list of
// objects with role and content. The last user message is the problem then.
func message(v any) (string, error) {
	turns, ok := v.([]any)
	if !ok || len(turns) == 0 {
		return text(v)
	}
	found, chat := "", false
	for _, t := range turns {
		turn, ok := t.(map[string]any)
		if !ok {
			return text(v)
		}
		content, ok := turn["content"].(string)
		if !ok {
			return "", fmt.Errorf("want chat messages with content, found an object without")
		}
		if role := turn["role"]; role == "user" {
			found, chat = strings.TrimSpace(content), true
		}
	}
	if !chat {
		return "", fmt.Errorf("a chat without a user message")
	}
	return found, nil
}

// final splits worked text in the form of GSM8K, whose last line is "####"
// and the answer. ok is false for any other text.
func final(worked string) (answer string, ok bool) {
	at := strings.LastIndex(worked, "####")
	if at < 0 || at > 0 && worked[at-1] != '\n' {
		return "", false
	}
	answer = strings.TrimSpace(worked[at+len("####"):])
	return answer, !strings.Contains(answer, "\n")
}
