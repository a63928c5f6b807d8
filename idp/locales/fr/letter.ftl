# Courriels du compte.
letter-invitation-subject = Votre compte vous attend
letter-invitation-what = Un compte a été préparé pour vous.
letter-invitation-what-from = Un compte a été préparé pour vous par { $name }.
letter-invitation-login = Votre identifiant : { $login }
letter-invitation-link = { $count ->
    [one] Pour l’activer et choisir votre mot de passe, ouvrez ce lien. Il fonctionne une seule fois, pendant { $count } jour :
   *[other] Pour l’activer et choisir votre mot de passe, ouvrez ce lien. Il fonctionne une seule fois, pendant { $count } jours :
}
letter-invitation-personal = Ce compte est personnel : ne transmettez ni ce lien ni votre mot de passe à personne.
letter-sign-up-subject = Confirmez votre adresse
letter-sign-up-what = Quelqu’un, sans doute vous, a demandé un compte avec cette adresse. Pour la confirmer et choisir votre mot de passe, ouvrez ce lien. Il fonctionne une seule fois, pendant 24 heures :
letter-sign-up-if-not = Si ce n’est pas vous, ignorez ce message : aucun compte ne sera créé.
letter-known-subject = Vous avez déjà un compte
letter-known-what = Quelqu’un, sans doute vous, a demandé un compte avec cette adresse. Vous en avez déjà un : il n’y a rien à créer.
letter-known-how = Si vous ne connaissez plus votre mot de passe, demandez un lien ici :
letter-known-if-not = Si ce n’est pas vous, ignorez ce message : rien n’a changé.
letter-new-email-subject = Confirmez votre nouvelle adresse
letter-new-email-what = Vous avez demandé que cette adresse devienne celle de votre compte. Pour le confirmer, ouvrez ce lien. Il fonctionne une seule fois, pendant 60 minutes :
letter-new-email-if-not = Si ce n’est pas vous, ignorez ce message : rien ne changera.
letter-email-changed-subject = L’adresse de votre compte a changé
letter-email-changed-what = Cette adresse n’est plus celle de votre compte : une autre vient d’être confirmée. Les messages y seront désormais envoyés.
letter-email-changed-if-not = Si ce n’est pas vous, reprenez votre compte par ce lien, valable 7 jours : l’ancienne adresse est rétablie, tous les appareils sont déconnectés et vous choisissez un nouveau mot de passe.
letter-email-taken-back-subject = Votre changement d’adresse a été annulé
letter-email-taken-back-what = Le changement d’adresse de votre compte a été annulé depuis l’ancienne adresse. Les messages n’arriveront plus ici, et tous les appareils sont déconnectés.
letter-email-taken-back-if-not = Si vous n’y êtes pour rien, adressez-vous à l’administrateur de votre organisation.
letter-address-refused-subject = Une adresse de votre organisation ne reçoit plus nos messages
letter-address-refused-what = Les messages envoyés à { $address } sont refusés : l’adresse de { $name } (identifiant : { $login }) est fausse ou n’existe plus. Elle n’est plus considérée comme vérifiée.
letter-address-refused-how = Vérifiez l’adresse avec cette personne. Si elle utilise déjà son compte, elle peut la changer elle-même dans son profil. Si elle ne l’a pas encore activé, demandez une nouvelle invitation à la bonne adresse.
letter-address-refused-once = Nous ne vous écrivons qu’une fois à ce sujet.
letter-session-ended-subject = Un de vos appareils a été déconnecté
letter-session-ended-what = { $count ->
    [one] Votre compte ne peut être ouvert que sur { $count } appareil à la fois. Une nouvelle connexion vient de fermer la plus ancienne.
   *[other] Votre compte ne peut être ouvert que sur { $count } appareils à la fois. Une nouvelle connexion vient de fermer la plus ancienne.
}
letter-session-ended-device = Appareil déconnecté : { $device }
letter-session-ended-if-not = Si cette nouvelle connexion n’est pas la vôtre, ouvrez votre compte et signalez une compromission.

letter-administrator-changed-subject = { $organization } : administrateurs modifiés
letter-administrator-changed-what = Les administrateurs de { $organization } ont changé. Vous recevez ce message en tant que signataire de l’organisation.
letter-administrator-changed-person = Personne concernée : { $person }
letter-administrator-changed-if-not = Si ce changement n’est pas voulu, prévenez-nous sans attendre en répondant à ce message.
letter-succession-requested-subject = { $organization } : un administrateur doit être remplacé
letter-succession-requested-what = Le remplacement d’un administrateur de { $organization } a été demandé ; une autre personne doit encore l’approuver. Vous recevez ce message en tant que signataire de l’organisation.
letter-succession-done-subject = { $organization } : un administrateur a été remplacé
letter-succession-done-what = Un administrateur de { $organization } a été remplacé. Vous recevez ce message en tant que signataire de l’organisation.
letter-succession-who = Départ : { $leaving }. Relève : { $successor }.
letter-override-requested-subject = { $organization } : demande écrite concernant un administrateur
letter-override-requested-what = Nous avons enregistré une demande écrite de { $organization }, signée par { $signatory }, concernant un administrateur. Une seconde personne la vérifie avant qu’elle soit appliquée.
letter-override-done-subject = { $organization } : demande écrite appliquée
letter-override-done-what = La demande écrite de { $organization }, signée par { $signatory }, a été appliquée.
letter-review-opened-subject = { $organization } : revue des accès à faire avant le { $date }
letter-review-opened-what = Une revue des accès de { $organization } est ouverte. Dites, pour chaque membre, s’il a encore besoin de son accès, puis signez la revue avant le { $date }.
letter-review-reminder-subject = { $organization } : la revue des accès se termine le { $date }
letter-review-reminder-what = La revue des accès de { $organization } est à signer avant le { $date }.
letter-review-overdue-subject = { $organization } : la revue des accès est en retard
letter-review-overdue-what = La revue des accès de { $organization } devait être signée avant le { $date }. Elle reste ouverte.
letter-review-left = Membres encore à examiner : { $count }.
letter-membership-ends-subject = { $organization } : l’accès de { $person } arrive à échéance
letter-membership-ends-what = { $person } est membre de { $organization } jusqu’à la fin du { $date } (jours restants : { $days }). Le lendemain à 00:00, son accès au nom de { $organization } cesse.
letter-membership-ends-todo = Si cette personne doit garder son accès, donnez-lui une nouvelle date de fin. Sinon, vous n’avez rien à faire.
letter-offer-subject = { $organization } vous invite à la rejoindre
letter-offer-what = { $organization } vous invite à la rejoindre avec le compte que vous avez déjà.
letter-offer-link = { $count ->
    [one] Connectez-vous pour accepter ou refuser, dans la journée :
   *[other] Connectez-vous pour accepter ou refuser, dans les { $count } jours :
}
letter-offer-if-not = Si vous ne connaissez pas cette organisation, refusez : elle n’apprendra rien de vous.
letter-key-reminder-subject = La clé d’API « { $key } » arrive à échéance
letter-key-reminder-what = La clé d’API « { $key } » de { $organization } cesse de fonctionner à la fin du { $date } (jours restants : { $days }).
letter-key-reminder-todo = Émettez dès maintenant une nouvelle clé : deux clés peuvent être actives en même temps, le temps de la remplacer dans votre logiciel. Révoquez ensuite l’ancienne.
letter-key-rotate-subject = La clé d’API « { $key } » est à renouveler
letter-key-rotate-what = La personne qui a émis la clé d’API « { $key } » ne fait plus partie de { $organization }. La clé continue de fonctionner, mais cette personne a pu la lire.
letter-key-rotate-todo = Émettez une nouvelle clé, remplacez l’ancienne dans votre logiciel, puis révoquez-la.
letter-key-replace-subject = La clé d’API « { $key } » a été révoquée
letter-key-replace-what = La clé d’API « { $key } » de { $organization } a pu être connue d’autrui. Elle est révoquée, ainsi que les jetons obtenus avec elle.
letter-key-replace-todo = Émettez une nouvelle clé et remplacez l’ancienne dans votre logiciel : ses appels sont refusés jusque-là.
letter-webhook-disabled-subject = Webhook vers { $host } désactivé
letter-webhook-disabled-gone = Le destinataire { $host } a répondu qu’il ne veut plus d’événements (410) : le webhook a été désactivé.
letter-webhook-disabled-silent = Le destinataire { $host } n’a accepté aucun événement depuis trois jours : le webhook a été désactivé.
letter-webhook-disabled-organization = Organisation : { $organization }
letter-webhook-disabled-webhook = Webhook : { $webhook }
letter-webhook-disabled-then = Quand le destinataire répondra de nouveau, réactivez le webhook. Ce qu’il a manqué se lit dans le flux d’événements, ou peut être renvoyé un à un.
letter-members-imported-subject = { $organization } : membres importés
letter-members-imported-what = Des personnes ont été invitées dans { $organization } à partir d’un fichier : { $count }. Vous recevez ce message en tant que signataire de l’organisation.
letter-members-exported-subject = { $organization } : liste des membres exportée
letter-members-exported-what = La liste des membres de { $organization } a été exportée. Vous recevez ce message en tant que signataire de l’organisation.
letter-members-by = Par : { $person }
