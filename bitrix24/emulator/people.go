package emulator

import (
	"strconv"
	"strings"
)

// person is an invented person.
type person struct {
	name, secondName, lastName string
	honorific                  string
	company                    string
	latin                      bool
}

var (
	menNames = strings.Fields(`Александр Дмитрий Максим Сергей Андрей Алексей Артём Илья Кирилл Михаил Никита Матвей Роман
		Егор Арсений Иван Денис Евгений Тимофей Владислав Игорь Владимир Павел Руслан Марк Константин Тимур Олег Ярослав
		Антон Николай Глеб Данил Савелий Вадим Степан Юрий Богдан Артур Семён`)
	womenNames = strings.Fields(`Анастасия Мария Дарья Анна Виктория Полина Елизавета Екатерина Ксения Валерия Варвара
		Александра Вероника Арина Алиса Алина Милана Маргарита Диана Ульяна Алёна Ангелина Кристина Юлия Кира Ева
		Ольга Татьяна Светлана Ирина Наталья Елена Людмила Галина Любовь Надежда Вера Зоя`)
	surnames = strings.Fields(`Иванов Смирнов Кузнецов Попов Васильев Петров Соколов Михайлов Новиков Фёдоров Морозов
		Волков Алексеев Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров
		Зайцев Соловьёв Борисов Яковлев Григорьев Романов Воробьёв Сергеев Кузьмин Фролов Александров Дмитриев Королёв
		Гусев Киселёв Ильин Максимов Поляков Сорокин Виноградов Ковалёв Белов Медведев Антонов Тарасов Жуков Баранов
		Филиппов Комаров Давыдов Беляев Герасимов Богданов Осипов Сидоров Матвеев Титов Марков Миронов Крылов Куликов
		Карпов Власов Мельников Денисов Гаврилов Тихонов Казаков Афанасьев Данилов Савельев Тимофеев Фомин Чернов
		Абрамов Мартынов Ефимов Федотов Щербаков Назаров Калинин Исаев Чернышёв Быков Маслов Родионов Коновалов Лазарев`)
	sameForBoth = strings.Fields(`Шевченко Бондаренко Ткаченко Коваленко Кравченко Ким Пак Цой Черных Седых Долгих Мельник
		Гончар Бойко Дубровских Шмидт Вайс Гринберг`)
	fathers = strings.Fields(`Александр Дмитрий Максим Сергей Андрей Алексей Иван Владимир Роман Егор Денис Николай
		Антон Павел Олег Степан Михаил Виктор Борис Вадим`)
	foreignNames = strings.Fields(`Klaus Anna Peter Maria John Emma Oliver Sophie Lukas Elena Marco Giulia Pierre Camille
		Jan Katarzyna Tomáš Eva Lars Ingrid José Lucía William Charlotte Aidan Zoë Björn Noémie Łukasz Ayşe`)
	foreignSurnames = strings.Fields(`Weber Müller Schmidt Schneider Rossi Bianchi Dubois Lefèvre Novák Kowalski Nowak
		Andersson García O'Brien Smith Taylor Johnson van-der-Berg Jørgensen Öztürk Þórsson Doe MacDonald D'Angelo`)
	brands = strings.Fields(`Ромашка Вектор Горизонт Альянс Прогресс Северсталь-Трейд Мегаполис Феникс Орион Квант
		СтройДом ТехноПарк АгроСоюз Медлайн Автомир Логистик Капитал Импульс Эталон Форум Велес Топаз Атлант`)
	foreignBrands = strings.Fields(`Acme Globex Initech Umbrella Hooli Vandelay Contoso Fabrikam Northwind Tailspin
		Blue-Sky Müller&Söhne Lumière Nordlys Aperture`)
)

// somebody invents a person: four in five have Russian names, the others Latin ones; some lack
// a surname or a patronymic, as in forms that people fill in.
func somebody(r *rng) person {
	if r.chance(0.2) {
		p := person{name: pick(r, foreignNames), lastName: pick(r, foreignSurnames), latin: true}
		p.company = pick(r, foreignBrands) + pick(r, []string{" GmbH", " Ltd.", " Inc.", " S.r.l.", " \"Group\" LLC", ""})
		return p
	}
	var p person
	woman := r.chance(0.5)
	father := pick(r, fathers)
	if r.chance(0.12) {
		p.lastName = pick(r, sameForBoth)
	} else {
		p.lastName = pick(r, surnames)
		if woman {
			p.lastName += "а"
		}
	}
	if woman {
		p.name, p.secondName, p.honorific = pick(r, womenNames), patronymic(father, "на"), "HNR_RU_2"
	} else {
		p.name, p.secondName, p.honorific = pick(r, menNames), patronymic(father, "ич"), "HNR_RU_1"
	}
	switch r.below(10) {
	case 0:
		p.lastName = ""
	case 1, 2, 3:
		p.secondName = ""
	}
	p.company = company(r, p.lastName)
	return p
}

// patronymic forms Иванович, Ивановна, Сергеевич, Сергеевна.
func patronymic(father, end string) string {
	stem := father
	switch {
	case strings.HasSuffix(father, "й"):
		stem = strings.TrimSuffix(father, "й") + "ев"
	case strings.HasSuffix(father, "а"):
		stem = strings.TrimSuffix(father, "а")
	default:
		stem += "ов"
	}
	return stem + end
}

func company(r *rng, surname string) string {
	switch brand := pick(r, brands); r.below(6) {
	case 0:
		return "ООО «" + brand + "»"
	case 1:
		return `ООО "` + brand + `"`
	case 2:
		return "АО «" + brand + "»"
	case 3:
		return strings.TrimSpace("ИП " + surname)
	case 4:
		return `ТОО "` + brand + ` & Ко"`
	default:
		return brand
	}
}

func (p person) posts() []string {
	if p.latin {
		return []string{"CEO", "Buyer", "Head of Sales", "Office Manager", "CTO"}
	}
	return []string{"директор", "менеджер по закупкам", "гл. бухгалтер", "снабженец", "системный администратор", "владелец"}
}

var (
	phoneTypes = []string{"WORK", "WORK", "WORK", "MOBILE", "MOBILE", "HOME", "FAX", "OTHER"}
	emailTypes = []string{"WORK", "WORK", "HOME", "OTHER", "MAILING"}
	domains    = []string{".ru", ".рф", ".com", ".su/contacts?from=crm", ".by"}
	mailHosts  = []string{"mail.ru", "yandex.ru", "gmail.com", "bk.ru", "inbox.ru", "rambler.ru", "example.com"}
)

// phone writes a number in one of the many ways people type it.
func phone(r *rng, foreign bool) string {
	if foreign {
		return pick(r, []string{"+49 30 ", "+48 22 ", "+44 20 ", "+1 415 ", "0049-89-", "+33 1 "}) + digits(r, 3) + " " + digits(r, 4)
	}
	code, a, b, c := "9"+digits(r, 2), digits(r, 3), digits(r, 2), digits(r, 2)
	switch r.below(16) {
	case 0, 1, 2:
		return "+7" + code + a + b + c
	case 3:
		return "8" + code + a + b + c
	case 4:
		return "7" + code + a + b + c
	case 5, 6:
		return "+7 (" + code + ") " + a + "-" + b + "-" + c
	case 7:
		return "8 (" + code + ") " + a + "-" + b + "-" + c
	case 8:
		return "8-" + code + "-" + a + "-" + b + "-" + c
	case 9:
		return "+7 " + code + " " + a + " " + b + " " + c
	case 10:
		return code + a + b + c
	case 11:
		return "(495) " + a + "-" + b + "-" + c + " доб. " + digits(r, 3)
	case 12:
		return "8 812 " + a + b + c
	case 13:
		return "+375 29 " + a + "-" + b + "-" + c
	case 14:
		return "+7 701 " + a + " " + b + " " + c
	default:
		return a + "-" + b + "-" + c // a local number without a code
	}
}

func digits(r *rng, n int) string { return r.letters(n, "0123456789") }

func email(r *rng, p person) string {
	name, surname := latin(strings.ToLower(p.name)), latin(strings.ToLower(p.lastName))
	var local string
	switch r.below(4) {
	case 0:
		local = name + "." + surname
	case 1:
		local = surname + strconv.Itoa(1960+r.below(48))
	case 2:
		local = name + digits(r, 3)
	default:
		local = surname + "_" + name
	}
	address := strings.Trim(local, "._") + "@" + pick(r, mailHosts)
	if r.chance(0.1) {
		return strings.ToUpper(address[:1]) + address[1:]
	}
	return address
}

var letters = map[rune]string{
	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'д': "d", 'е': "e", 'ё': "e", 'ж': "zh", 'з': "z", 'и': "i", 'й': "y",
	'к': "k", 'л': "l", 'м': "m", 'н': "n", 'о': "o", 'п': "p", 'р': "r", 'с': "s", 'т': "t", 'у': "u", 'ф': "f",
	'х': "kh", 'ц': "ts", 'ч': "ch", 'ш': "sh", 'щ': "sch", 'ъ': "", 'ы': "y", 'ь': "", 'э': "e", 'ю': "yu", 'я': "ya",
	'ö': "oe", 'ü': "ue", 'ä': "ae", 'ø': "o", 'ł': "l", 'š': "s", 'á': "a", 'é': "e", 'è': "e", 'ë': "e", 'ş': "s",
	'í': "i", 'ó': "o", 'þ': "th", 'å': "a",
}

// latin transliterates a lower-case name for an address.
func latin(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch known, ok := letters[r]; {
		case ok:
			b.WriteString(known)
		case r >= 'a' && r <= 'z' || r == '-' || r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}
