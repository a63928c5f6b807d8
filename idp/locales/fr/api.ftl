api-title = API de gestion
api-lead = Pour les développeurs : chaque opération, la portée qu’elle demande et ce qu’elle attend. Le document complet :
api-groups = Groupes d’opérations
