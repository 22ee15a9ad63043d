package emulator

// The texts of generated leads. Some contain what breaks careless programs: quotes,
// backslashes, tags, line breaks, emoji, percent and plus signs.
var (
	wishes = []string{
		"окна ПВХ", "ремонт квартиры", "доставка бетона", "шкаф-купе", "натяжные потолки", "CRM-система", "кондиционер",
		"обучение английскому", "аренда спецтехники", "полиграфия", "видеонаблюдение", "юридические услуги",
		"website redesign", "cloud backup", "office furniture", "printing 3D-деталей",
	}
	solutions = []string{
		"Тариф «Базовый»", "Тариф «Профессиональный»", "Коробочная версия", "Облако на 1 год", "Индивидуальный расчёт",
		"Пакет \"Всё включено\"", "Рассрочка 0-0-12", "Basic plan", "Enterprise plan", "Отказ",
	}
	campaigns = []string{"brand_msk", "okna_leto_2026", "retarget|b2b", "new+year", "search 50% off", "весна"}
	remarks   = []string{
		"Перезвонить после 15:00", "Просил КП на почту", "Клиент уехал до понедельника", "Дубль? проверить",
		"Сказал: \"дорого\", думает", "Путь к файлу: C:\\Обмен\\КП\\2026", "<b>Срочно!</b> ждут сегодня",
		"[B]Важно[/B]\n[LIST][*]смета[*]договор[/LIST]", "Скидка 10% + доставка", "Ok 👍 жду звонка 📞",
		"Звонили 3 раза; не берёт", "Call back on Monday", "Wants a quote for 25 seats", "O'Brien's office, ask for Zoë",
		"Адрес: ул. Ленина, д. 5/1, кв. 7", "нет", "Строка\tс табуляцией\r\nи переводом", "Почта не читается: ivanov@@mail",
	}
	sources = []string{
		"CALL", "CALL", "CALL", "WEB", "WEB", "WEB", "WEBFORM", "WEBFORM", "EMAIL", "ADVERTISING", "PARTNER",
		"RECOMMENDATION", "TRADE_SHOW", "CALLBACK", "RC_GENERATOR", "STORE", "OTHER", "1",
	}
	stages = []string{
		"NEW", "NEW", "NEW", "NEW", "IN_PROCESS", "IN_PROCESS", "IN_PROCESS", "PROCESSED", "UC_7WK3QP",
		"CONVERTED", "CONVERTED", "JUNK", "JUNK",
	}
	cities = []city{
		{"Москва", "Москва", "Россия", "101000", "ул. Тверская"},
		{"Санкт-Петербург", "Санкт-Петербург", "Россия", "190000", "Невский пр-т"},
		{"Екатеринбург", "Свердловская область", "Россия", "620000", "ул. Малышева"},
		{"Казань", "Республика Татарстан", "Россия", "420000", "ул. Баумана"},
		{"Нижний Новгород", "Нижегородская область", "Россия", "603000", "ул. Большая Покровская"},
		{"Алматы", "Алматы", "Казахстан", "050000", "пр. Абая"},
		{"Минск", "Минская область", "Беларусь", "220000", "пр. Независимости"},
		{"Berlin", "Berlin", "Germany", "10117", "Friedrichstraße"},
		{"Kraków", "Małopolskie", "Poland", "31-000", "ul. Floriańska"},
	}
)

type city struct{ name, region, country, postal, street string }
