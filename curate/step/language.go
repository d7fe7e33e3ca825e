package step

import (
	"slices"
	"strings"
	"unicode"

	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/score/answer"
)

// languageFilter keeps rows whose problem is in one of some languages.
type languageFilter struct {
	is       []string
	dropNone bool
}

func newLanguage(v recipe.Values, _ *Env) (Filter, error) {
	return &languageFilter{v.List("is"), v.Text("unknown") == "drop"}, nil
}

func (f *languageFilter) Look(r *rows.Row) (*Removal, error) {
	lang := Language(r.Problem.Problem)
	switch {
	case lang == "":
		if f.dropNone {
			return removal("language unknown", ""), nil
		}
	case !slices.Contains(f.is, lang):
		return removal("language is "+lang, shorten(r.Problem.Problem, 80)), nil
	}
	return nil, nil
}

// scripts are the writing systems that tell a language, or stand for the most frequent one.
var scripts = []struct {
	lang  string
	table *unicode.RangeTable
}{
	{"ja", unicode.Hiragana}, {"ja", unicode.Katakana}, {"ko", unicode.Hangul}, {"zh", unicode.Han}, {"ru", unicode.Cyrillic},
	{"ar", unicode.Arabic}, {"he", unicode.Hebrew}, {"el", unicode.Greek}, {"hi", unicode.Devanagari}, {"th", unicode.Thai},
	{"bn", unicode.Bengali}, {"ka", unicode.Georgian}, {"hy", unicode.Armenian},
}

// frequent are words that are frequent in mathematical problems of a language in Latin script, without
// those that several of the languages share.
var frequent = map[string]string{
	"en": "the of and is are find what how many let that if be with for which value number compute evaluate simplify solve determine calculate given " +
		"such all each from this has have by at it expand factor suppose where when between than then does real integers positive express there their its as",
	"de": "der die und ist das den dem ein eine einer sei seien für mit von auf nicht wie viele bestimme berechne zeige dass gilt wenn alle zahl zahlen sind zwei welche aus im zu",
	"fr": "le les des et est une du dans que pour soit soient trouver calculer combien déterminer nombre tous sur avec par quel quelle si sont deux montrer au aux ce",
	"es": "el los las y es una del en que para sea sean encontrar calcular cuántos determinar número todos con por cuál si son dos hallar demostrar encuentre se su al",
	"it": "il lo gli e è una del della nel che per sia siano trovare calcolare quanti determinare numero tutti con da quale se sono due dimostrare di si al",
	"pt": "o os as e é uma do da no na que para seja sejam encontre calcule quantos determine número todos com por qual se são dois prove um em ao",
	"nl": "het een van en is de dat voor zijn met op hoeveel bepaal bereken getal alle als welke twee niet door laat",
	"pl": "i jest w na że dla się niech liczba liczby znajdź oblicz ile wyznacz wszystkie z do które jeśli oraz są",
	"tr": "ve bir bu için ile olan olsun kaç bulunuz sayı sayısı tüm değeri eğer kaçtır olduğuna göre",
	"vi": "là và của các cho một số có tìm hỏi bao nhiêu với trong được tất cả nếu biết",
	"id": "dan yang adalah dari untuk dengan pada jika berapa banyak bilangan nilai semua tentukan sebuah",
	"ro": "și este un o în că pentru fie numărul aflați determinați toate cu din câte dacă sunt care",
}

var frequentWords = func() map[string][]string {
	of := map[string][]string{}
	for lang, words := range frequent {
		for _, w := range strings.Fields(words) {
			of[w] = append(of[w], lang)
		}
	}
	return of
}()

// Language guesses the language of a problem, as an ISO 639-1 code, from its prose: by the script of its
// letters, and in Latin script by frequent words. "" is unknown: too little prose (a bare formula) or none of
// the languages that are known. Two languages with as many words are a tie that English wins, as
// the names of others' places and people stand in English problems more often than the reverse.
func Language(text string) string {
	letters := map[string]int{}
	hits := map[string]int{}
	latin, words := 0, 0
	for prose := range answer.Prose(text) {
		for _, word := range strings.FieldsFunc(prose, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '\\' }) {
			if strings.Contains(word, `\`) {
				continue // a command of LaTeX
			}
			word = strings.ToLower(word)
			if len(word) == 1 {
				continue // a symbol as often as a word
			}
			words++
			for _, lang := range frequentWords[word] {
				hits[lang]++
			}
			for _, r := range word {
				if r < 0x250 {
					latin++
					continue
				}
				for _, s := range scripts {
					if unicode.Is(s.table, r) {
						letters[s.lang]++
						break
					}
				}
			}
		}
	}
	if letters["ja"] > 0 { // Japanese writes with Chinese characters, too
		letters["ja"] += letters["zh"]
		delete(letters, "zh")
	}
	script, most := "", 0
	for _, s := range scripts {
		if n := letters[s.lang]; n > most {
			script, most = s.lang, n
		}
	}
	if most > 2 && most*2 > latin { // a character of these scripts says more than one of Latin
		return script
	}
	best, count := "", 0
	for lang, n := range hits {
		if n > count || n == count && (lang == "en" || best != "en" && lang < best) {
			best, count = lang, n
		}
	}
	if count == 0 || count == 1 && (words > 8 || best != "en") {
		return ""
	}
	return best
}
